// What the address space does to its areas.
#pragma once

#include "core/memory/area.h"
#include "core/memory/area_set.h"

namespace core {

Result<Area*> allocate_area();
void destroy_area(Area* area);

struct AreaOperations {
  static bool same_properties(const Area& a, const Area& b);
  // Whether `low` and the adjacent `high` can become one area.
  static bool can_join(const Area& low, const Area& high);
  // Everything but the bounds and the links; takes references.
  static void copy_properties(Area& to, const Area& from);
  // Gives the area's references back; it is in no tree and no list.
  static void drop(Area& area);
  static void set_bounds(AreaSet<Area>& areas, Area& area, std::uintptr_t start, std::uintptr_t end);
};

}  // namespace core
