// Puts files, or all files of folders, through a fuzz target: what the sanitizers' build runs, without libFuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** names) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i)
    if (std::filesystem::is_directory(names[i]))
      for (const auto& entry : std::filesystem::directory_iterator(names[i])) files.push_back(entry.path());
    else
      files.emplace_back(names[i]);
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    // of exactly that size, so that a read past its end is seen
    const std::vector<char> text{std::istreambuf_iterator<char>(in), {}};
    if (!in) return std::printf("%s cannot be read\n", file.c_str()), 1;
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu inputs\n", files.size());
  return files.empty() ? 1 : 0;
}
