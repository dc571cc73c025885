// Numbered migrations of an SQLite file. The file's user_version says which was the last.
#pragma once

#include <span>

namespace latchkey::store {

// Ids are 1, 2, 3 … without gaps; one that was released is never changed. Each runs in one
// transaction of its own, together with the new user_version.
struct Migration {
  int id = 0;
  const char* name = "";  // a few words, for the log and the reader
  const char* sql = "";
};

// Those of state.db.
std::span<const Migration> StateMigrations();

}  // namespace latchkey::store
