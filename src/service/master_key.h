// The master key, under which the HMAC key states of secret tokens are sealed (wire.md §3). It
// lives in a file of its own, DIR/master.key unless the configuration names another, mode 0600:
//
//   # Latchkey master key. …
//   id 1
//   key 64 hex digits
//
// The store keeps a check value of the key it was sealed with: its id and an HMAC of a constant
// under it. A key is made only together with a new store; for any other a wrong or missing key is
// an error, and nothing is overwritten.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/thread_annotations.h"
#include "core/audit.h"
#include "core/token.h"
#include "env/clock.h"
#include "env/entropy.h"
#include "store/store.h"

namespace latchkey::service {

struct MasterKey {
  std::uint32_t id = 0;  // 1, 2, 3 …
  Secret bytes;          // kSealKeyBytes
};

// The text of a key's file, and back. kCorrupt says what is wrong with the text, not what it is.
Secret FormatMasterKey(const MasterKey& key);
Result<MasterKey> ParseMasterKey(std::string_view text);
// What the store keeps of a key: "ID:64 hex digits".
std::string MasterKeyCheckValue(const MasterKey& key);

// Thread-safe.
class KeyRing {
 public:
  // Loads the key from `path` and compares it with the store's check value; makes a key if the
  // store is new and there is no file. Completes or undoes a rotation that was interrupted.
  // Errors: kInvalid (the file's mode is looser than 0600; it is no key), kNotFound (the store
  // needs its key and there is none), kConflict (the key is another than the store's), kCorrupt,
  // kUnavailable. References are borrowed and must outlive this.
  static Result<std::unique_ptr<KeyRing>> Open(std::string path, store::Store& store,
                                               const Clock& clock, Entropy& entropy);

  // Keeps the key from being rotated: what was sealed under a lease must be committed under it,
  // else a rotation in between would leave it sealed under a key that is gone. Short-lived.
  class Lease {
   public:
    explicit Lease(KeyRing& ring);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Puts the sealed state of a secret token's text into the profile, with the key's id.
    // kUnavailable after a rotation of unknown outcome.
    Status SealKeyState(const core::Token& token, const Secret& text,
                        core::TokenProfile& profile) const;
    // The HMAC key state (HmacSha256WithState). kCorrupt if it doesn't open.
    Result<Secret> OpenKeyState(const core::Token& token, const core::TokenProfile& profile) const;

   private:
    KeyRing& ring_;
  };

  struct Rotation {
    std::uint32_t old_id = 0;
    std::uint32_t new_id = 0;
    std::uint64_t resealed = 0;
  };
  // A new key, beside the old one as PATH.next; all sealed states and the check value in one
  // transaction; then the new file takes the old one's place. Whatever happens in between, the next
  // Open finds a key and a store that fit. kUnknown: the outcome of the transaction is not known;
  // both files stay and the next Open decides. kUnavailable: nothing was rotated, unless the text
  // says that the new key could not take the old one's place, which the next Open makes good.
  Result<Rotation> Rotate(core::Actor actor);

  std::uint32_t CurrentId();

 private:
  KeyRing(std::string path, store::Store& store, const Clock& clock, Entropy& entropy,
          MasterKey key);

  Result<Rotation> RotateAlone(core::Actor actor);
  Status TakePlace();
  Status CheckUsable() const;

  const std::string path_;
  store::Store& store_;
  const Clock& clock_;
  Entropy& entropy_;
  mutable Mutex mutex_;
  CondVar changed_;
  int leases_ GUARDED_BY(mutex_) = 0;
  bool rotating_ GUARDED_BY(mutex_) = false;
  // The rest is read under a lease and written while rotating_, when there is none.
  MasterKey key_;
  bool unsure_ = false;        // the outcome of a rotation is not known: nothing may be sealed
  bool out_of_place_ = false;  // key_ stands in PATH.next only
};

}  // namespace latchkey::service
