#include "test/support/fault_vfs.h"

#include <cstdlib>
#include <utility>

#include <sqlite3.h>

namespace latchkey::test {
namespace {

// SQLite allocates szOsFile bytes: this, and behind it the system's file.
struct FaultFile {
  sqlite3_file base;
  FaultVfs* vfs;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FaultFile* Self(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Self(file)->real(); }
const sqlite3_io_methods& Methods(sqlite3_file* file) { return *Real(file)->pMethods; }

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  switch (Self(file)->vfs->NextWrite()) {
    case FaultVfs::Outcome::kDone:
      return Methods(file).xWrite(Real(file), bytes, size, offset);
    case FaultVfs::Outcome::kFull:
      static_cast<void>(Methods(file).xWrite(Real(file), bytes, size / 2, offset));
      return SQLITE_FULL;
    case FaultVfs::Outcome::kBroken:
      return SQLITE_IOERR_WRITE;
  }
  std::abort();
}

int Sync(sqlite3_file* file, int flags) {
  if (Self(file)->vfs->NextFlush() != FaultVfs::Outcome::kDone) return SQLITE_IOERR_FSYNC;
  return Methods(file).xSync(Real(file), flags);
}

int Close(sqlite3_file* file) { return Methods(file).xClose(Real(file)); }
int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return Methods(file).xRead(Real(file), bytes, size, offset);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Methods(file).xTruncate(Real(file), size);
}
int Size(sqlite3_file* file, sqlite3_int64* size) {
  return Methods(file).xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int lock) { return Methods(file).xLock(Real(file), lock); }
int Unlock(sqlite3_file* file, int lock) { return Methods(file).xUnlock(Real(file), lock); }
int CheckReservedLock(sqlite3_file* file, int* out) {
  return Methods(file).xCheckReservedLock(Real(file), out);
}
int Control(sqlite3_file* file, int operation, void* argument) {
  return Methods(file).xFileControl(Real(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Methods(file).xSectorSize(Real(file)); }
int Characteristics(sqlite3_file* file) { return Methods(file).xDeviceCharacteristics(Real(file)); }
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return Methods(file).xShmMap(Real(file), region, size, extend, out);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Methods(file).xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { Methods(file).xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) { return Methods(file).xShmUnmap(Real(file), remove); }

constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         Size,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         Control,
                                         SectorSize,
                                         Characteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

}  // namespace

struct FaultVfs::Registration {
  sqlite3_vfs vfs{};
  sqlite3_vfs* system = nullptr;
  FaultVfs* owner = nullptr;

  static Registration& Of(sqlite3_vfs* vfs) { return *static_cast<Registration*>(vfs->pAppData); }
  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    Registration& self = Of(vfs);
    file->pMethods = nullptr;
    Self(file)->vfs = self.owner;
    const int code = self.system->xOpen(self.system, path, Real(file), flags, out);
    if (code == SQLITE_OK) file->pMethods = &kMethods;
    return code;
  }
};

FaultVfs::FaultVfs(std::string name)
    : name_(std::move(name)), registration_(std::make_unique<Registration>()) {
  Registration& self = *registration_;
  self.system = sqlite3_vfs_find(nullptr);
  self.owner = this;
  // Whatever concerns no open file is the system's own; those functions look at nothing of their
  // first argument but what is copied here.
  self.vfs = *self.system;
  self.vfs.zName = name_.c_str();
  self.vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + self.system->szOsFile;
  self.vfs.xOpen = Registration::Open;
  self.vfs.pNext = nullptr;
  self.vfs.pAppData = &self;
  if (sqlite3_vfs_register(&self.vfs, 0) != SQLITE_OK) std::abort();
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&registration_->vfs); }

void FaultVfs::FillUpAfterWrites(std::int64_t writes) { full_from_write_ = writes_ + writes; }
void FaultVfs::BreakAfterWrites(std::int64_t writes) { broken_from_write_ = writes_ + writes; }
void FaultVfs::BreakAfterFlushes(std::int64_t flushes) { broken_from_flush_ = flushes_ + flushes; }

void FaultVfs::Heal() {
  full_from_write_ = kNever;
  broken_from_write_ = kNever;
  broken_from_flush_ = kNever;
}

FaultVfs::Outcome FaultVfs::NextWrite() {
  const std::int64_t number = writes_++;
  if (number >= full_from_write_) return Outcome::kFull;
  if (number >= broken_from_write_) return Outcome::kBroken;
  return Outcome::kDone;
}

FaultVfs::Outcome FaultVfs::NextFlush() {
  return flushes_++ >= broken_from_flush_ ? Outcome::kBroken : Outcome::kDone;
}

}  // namespace latchkey::test
