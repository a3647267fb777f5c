// The two versions.
#pragma once

#include "base/result.h"
#include "device_tree/tree.h"

namespace gic {

base::Result<void> start_version_2(const device_tree::Node& node);
base::Result<void> start_version_3(const device_tree::Node& node);

}  // namespace gic
