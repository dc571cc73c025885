// The cryptography that Latchkey uses, over OpenSSL and libsodium; nothing else of ours includes
// either (TLS apart). Functions are thread-safe. CryptoInit() must have returned before any of
// them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace latchkey {

using Digest = std::array<std::uint8_t, 32>;

// Initialises libsodium. Ends the process if the machine has no source of random bytes.
void CryptoInit();

Digest Sha256(std::string_view bytes);
Digest HmacSha256(std::string_view key, std::string_view bytes);

// SHA-256 over what arrives in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  void Update(std::string_view bytes);
  Digest Finish();

 private:
  alignas(16) std::array<std::uint8_t, 128> state_;  // crypto_hash_sha256_state
};

// CRC-32/ISO-HDLC, zlib's.
std::uint32_t Crc32(std::string_view bytes);

// The system's random source. Never fails: a system without one ends the process.
void RandomBytes(std::span<std::uint8_t> out);

bool ConstantTimeEqual(std::string_view a, std::string_view b);

// The state of HMAC-SHA256 after its key block, libsodium's crypto_auth_hmacsha256_state: it can
// sign and verify as the key would, and the key can't be read back from it (wire.md §3).
inline constexpr std::size_t kHmacKeyStateBytes = 208;
Secret MakeHmacKeyState(const Secret& key);
Digest HmacSha256WithState(const Secret& key_state, std::string_view bytes);

// XChaCha20-Poly1305 (libsodium), nonce first. `associated` is authenticated, not stored.
inline constexpr std::size_t kSealKeyBytes = 32;
std::string Seal(const Secret& key, std::string_view associated, const Secret& plain);
// nullopt when key, associated data or bytes are not those of the sealing.
std::optional<Secret> Unseal(const Secret& key, std::string_view associated,
                             std::string_view sealed);

}  // namespace latchkey
