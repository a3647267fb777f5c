// The order of init steps (see init_step.h): pure logic, tested on the host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/format.h"
#include "base/result.h"
#include "core/init/init_step.h"

namespace core {

class InitGraph {
 public:
  static constexpr std::size_t steps_max = 256;

  explicit InitGraph(std::span<const InitStep> steps) : steps_(steps) {}

  // Finds an order, or describes why there is none: a duplicate or unknown name, or a cycle, which is spelled
  // out.
  base::Result<void> sort(base::TextSink& defect);
  // Indices of the steps in the order they are to run. After sort().
  std::span<const std::uint16_t> order() const { return {order_.data(), order_size_}; }
  // Calls visit(index of a step that `step` waits for), until it returns false.
  bool for_each_requirement(std::size_t step, base::FunctionRef<bool(std::size_t)> visit) const;

 private:
  enum class Mark : std::uint8_t { unseen, on_path, placed };
  static constexpr std::size_t not_found = ~std::size_t{0};

  std::size_t find(std::string_view name) const;
  base::Result<void> check_names(base::TextSink& defect) const;
  bool place(std::size_t step, base::TextSink& defect);

  std::span<const InitStep> steps_;
  std::array<Mark, steps_max> marks_{};
  std::array<std::uint16_t, steps_max> order_{};
  std::size_t order_size_ = 0;
  std::size_t cycle_start_ = not_found;
};

}  // namespace core
