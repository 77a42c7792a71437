#pragma once
#include <cstdint>
#include <string>

#include "vmx/rules/slots.hpp"

namespace hyperstep::explain {

/// The bits of a field's value in words: "blocking by STI, blocking by NMI" for 9 in guest_interruptibility,
/// "type 3 (data, read/write, accessed), DPL 0, present, 32-bit" for access rights, names of the set bits for
/// control registers and control words. Set bits without a name are given by number. Empty for a plain number
/// (an address, a limit), and for words that say nothing else than their value.
std::string bits_in_words(vmx::Slot slot, std::uint64_t value);

/// "0x9 (blocking by STI, blocking by NMI)", or "0x1000" where there is nothing to spell.
std::string value_in_words(vmx::Slot slot, std::uint64_t value);

}  // namespace hyperstep::explain
