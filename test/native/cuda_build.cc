// Opens the CUDA library as the engine does, on a machine with or without a GPU: a table of the ABI that was asked for and
// none of another; a probe that answers in one line. `npm run check:cuda` builds and runs it.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "kernels/device.h"

namespace {

int fail(const char* what) {
  std::printf("%s\n", what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace aclr::device;
  if (argc != 2) return fail("usage: cuda_build LIBRARY");
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail(dlerror());
  using Open = const Api*(std::uint32_t);
  Open* open = reinterpret_cast<Open*>(dlsym(library, kSymbol));
  if (!open) return fail(dlerror());
  if (open(kAbi + 1) || open(0)) return fail("it has a table for an ABI that it is not of");
  const Api* api = open(kAbi);
  if (!api) return fail("it has no table");
  if (api->abi != kAbi || api->size != sizeof(Api)) return fail("its table has another size or number");
  // every entry: behind the head of the table there are functions alone
  const void* entries[(sizeof(Api) - offsetof(Api, probe)) / sizeof(void*)];
  std::memcpy(entries, &api->probe, sizeof entries);
  for (const void* entry : entries)
    if (!entry) return fail("an entry of its table is empty");
  Device device{};
  Outcome outcome{};
  outcome.code = Code::kFailed;
  api->probe(0, &device, &outcome);
  if (outcome.code == Code::kOk) {
    std::printf("opened; %s answers\n", device.name);
    return device.name[0] ? 0 : fail("a device without a name");
  }
  outcome.message[sizeof outcome.message - 1] = 0;
  if (outcome.message[0] == 0 || std::strchr(outcome.message, '\n')) return fail("no device, and not told in one line");
  // a device that is not there leaves the library usable
  Outcome again{};
  api->probe(0, &device, &again);
  if (std::strcmp(outcome.message, again.message) != 0) return fail("asked twice, it answers otherwise");
  TrainerConfig config{};
  config.loss = "anomclr";
  Outcome refused{};
  if (api->trainer(&config, &refused) || refused.code == Code::kOk) return fail("a trainer without a device");
  std::printf("opened; no device: %s\n", outcome.message);
  return 0;
}
