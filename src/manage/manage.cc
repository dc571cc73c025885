#include "manage/manage.h"

#include <utility>

#include "manage/plane_handler.h"

namespace latchkey::manage {

Planes::Planes(const Dependencies& dependencies, ManageOptions manage, InternalOptions internal)
    : shared_(std::make_shared<Shared>(dependencies, std::move(manage), std::move(internal))) {}

Planes::~Planes() = default;

std::unique_ptr<http::Handler> Planes::MakeManageHandler(int) {
  return std::make_unique<PlaneHandler>(shared_, Plane::kManage);
}

std::unique_ptr<http::Handler> Planes::MakeInternalHandler(int) {
  return std::make_unique<PlaneHandler>(shared_, Plane::kInternal);
}

}  // namespace latchkey::manage
