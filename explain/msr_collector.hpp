#pragma once
#include <optional>

#include "explain/msr_file.hpp"

// What the readers of the line forms and of JSON share.
namespace hyperstep::explain {

/// What a key stands for.
struct MsrKey {
    enum class Kind : std::uint8_t {
        capability,  ///< a capability MSR or another capability: `slot`
        other_msr,   ///< an MSR that says nothing about VMX capabilities
    };
    Kind kind = Kind::other_msr;
    vmx::Slot slot = vmx::Slot::count;
};

/// A key by index ("0x480", "480", "00000480") or by name in any case ("IA32_VMX_BASIC",
/// "MSR_IA32_VMX_BASIC", "BASIC", "MAXPHYADDR"). Nothing if it is neither.
std::optional<MsrKey> msr_key(std::string_view text);

/// A number written for that slot; nothing if the text is not one, or has more than 64 bits.
std::optional<std::uint64_t> msr_value(std::string_view text, const MsrKey& key);

/// Gathers capabilities and refuses contradictions.
class MsrCollector {
public:
    /// `value` for `key`, said in `line`. `written` is the key as the reader wrote it, for notes.
    tl::expected<void, TextError> add(const MsrKey& key,
                                      std::string_view written,
                                      std::uint64_t value,
                                      std::size_t line);
    void note(std::size_t line, std::string_view what);
    /// The result; refused if nothing was given.
    tl::expected<MsrFile, TextError> finish() &&;

private:
    MsrFile file_;
    std::size_t notes_dropped_ = 0;
};

/// The two readers behind read_msrs.
tl::expected<MsrFile, TextError> read_msr_lines(std::string_view text);
tl::expected<MsrFile, TextError> read_msr_json(std::string_view text);

}  // namespace hyperstep::explain
