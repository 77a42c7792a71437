#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "cpu/model.hpp"
#include "cpu/op.hpp"

namespace hyperstep::cpu {

/// What the decoding depends on besides the bytes: the code segment's size, and whether VEX exists.
enum class DecodeMode : std::uint8_t { real_16, real_32, legacy_16, legacy_32, long_64 };

struct Decoded {
    enum class Status : std::uint8_t {
        ready,      ///< `op` runs; an undefined opcode runs too, and raises #UD
        more_bytes  ///< the bytes end within the instruction
    };
    Status status = Status::ready;
    Op op;
};

/// Decodes the instruction at the front of `bytes` for a processor of this model. An instruction of more than
/// 15 bytes gives an op that raises #GP(0).
Decoded decode(const Model& model, DecodeMode mode, std::span<const std::byte> bytes);

/// The instruction at the front of `bytes` as text in Intel syntax, `address` being its linear address;
/// "(bad)" if it is none. `length`: bytes of it, at least 1 unless `bytes` is empty.
std::string disassemble(DecodeMode mode,
                        std::span<const std::byte> bytes,
                        std::uint64_t address,
                        unsigned& length);

}  // namespace hyperstep::cpu
