// No name is looked up, and nothing but this machine is called: in place of getaddrinfo in fuzz targets (--wrap).
#include <netdb.h>

#include <string>

extern "C" int __real_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**);
extern "C" int __wrap_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
  addrinfo numeric = *hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  const std::string name = host == nullptr ? "" : host;
  if (name != "::1" && name.rfind("127.", 0) != 0 && name.rfind("::ffff:127.", 0) != 0) return EAI_NONAME;
  return __real_getaddrinfo(host, port, &numeric, found);
}
