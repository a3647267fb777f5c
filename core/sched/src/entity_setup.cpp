// From what sched_setattr says to what the policies work with.
#include "entity_setup.h"

#include "fair_queue.h"

namespace core {

void configure_entity(SchedulingEntity& entity, const SchedulingParameters& parameters, Urgency effective) {
  Urgency own = parameters.urgency();
  // Deadline threads lend level 0 without a particular deadline; equal levels are no boost.
  entity.boosted = effective.level < own.level;
  entity.round_robin = parameters.policy == Policy::round_robin && !entity.boosted;

  std::uint32_t old_weight = entity.weight;
  std::uint32_t level = entity.boosted ? effective.level : own.level;
  if (effective.is_deadline() && entity.boosted) {
    entity.scheduling_class = SchedulingClass::deadline;
    entity.dl_absolute_ns = effective.deadline_ns;
  } else if (parameters.policy == Policy::deadline) {
    entity.scheduling_class = SchedulingClass::deadline;
    std::uint64_t period = parameters.period_ns ? parameters.period_ns : parameters.deadline_ns;
    if (entity.dl_runtime_ns != parameters.runtime_ns || entity.dl_deadline_ns != parameters.deadline_ns ||
        entity.dl_period_ns != period)
      entity.dl_new = true;
    entity.dl_runtime_ns = parameters.runtime_ns;
    entity.dl_deadline_ns = parameters.deadline_ns;
    entity.dl_period_ns = period;
  } else if (level <= 99) {
    entity.scheduling_class = SchedulingClass::fixed;
    entity.priority = static_cast<std::uint8_t>(100 - level);
  } else if (level >= Urgency::idle().level) {
    entity.scheduling_class = SchedulingClass::idle;
    entity.weight = fair_idle_weight;
  } else {
    entity.scheduling_class = SchedulingClass::fair;
    entity.weight = fair_weight(static_cast<int>(level) - 120);
  }
  if (parameters.is_fair()) entity.slice_ns = parameters.policy == Policy::idle ? 0 : parameters.runtime_ns;
  if (parameters.policy == Policy::batch && !entity.slice_ns) entity.slice_ns = 4 * fair_default_slice_ns;
  // Lag is virtual time: what it is worth must not change with the weight.
  if (entity.lag_valid && entity.weight != old_weight)
    entity.lag =
        entity.lag / static_cast<std::int64_t>(entity.weight) * static_cast<std::int64_t>(old_weight);
}

}  // namespace core
