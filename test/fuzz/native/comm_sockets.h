#pragma once
#include <sys/socket.h>

namespace aclr::fuzz {

// Of the peers that the fuzzer plays; -1 where it does not work.
int listen_at(int port);
int call_at(int port);

}  // namespace aclr::fuzz
