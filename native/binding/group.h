// The ranks of a job as JavaScript sees them: class Group(config). A Trainer takes one as `group`.
#pragma once
#include <napi.h>

#include <memory>

#include "core/group.h"

namespace aclr::binding {

// What `group` holds; nothing where it is left out.
std::shared_ptr<Group> group_of(Napi::Object from);

}  // namespace aclr::binding
