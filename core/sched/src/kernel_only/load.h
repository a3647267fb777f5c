#pragma once

namespace core {

void start_load_average();

}  // namespace core
