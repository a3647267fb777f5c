#pragma once

#include "core/sched/parameters.h"
#include "core/sched/scheduling_entity.h"

namespace core {

// Fills the entity for the parameters and the urgency that is in effect (its own or a lent one). Not queued.
void configure_entity(SchedulingEntity& entity, const SchedulingParameters& parameters, Urgency effective);

}  // namespace core
