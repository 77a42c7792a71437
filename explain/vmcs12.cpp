#include "explain/vmcs12.hpp"

#include <array>

#include "explain/draft.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Slot;

constexpr std::uint32_t revision = 0x11e5'7ed0;
constexpr std::size_t header_bytes = 128;

struct Place {
    std::size_t offset;
    std::size_t bytes;
    Slot slot;
};
constexpr auto layout = std::to_array<Place>({
#define VMCS12_FIELD(offset, bytes, short_name) {offset, bytes, Slot::short_name},
#include "explain/vmcs12_layout.def"
#undef VMCS12_FIELD
});

std::optional<std::uint64_t> little_endian(std::string_view bytes, std::size_t offset, std::size_t count) {
    if (offset > bytes.size() || bytes.size() - offset < count) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[offset + i]);
    return value;
}

bool has_revision(std::string_view bytes, std::size_t offset) {
    const auto word = little_endian(bytes, offset, 4);
    return word && (*word & 0x7fff'ffff) == revision;
}

}  // namespace

bool begins_vmcs12(std::string_view bytes) {
    return has_revision(bytes, 0) || has_revision(bytes, header_bytes);
}

std::optional<Dump> read_vmcs12(std::string_view bytes) {
    if (!begins_vmcs12(bytes)) return std::nullopt;
    Dump dump;
    dump.format = Format::vmcs12;
    dump.line_first = dump.line_last = 1;
    const bool header = !has_revision(bytes, 0);
    if (header) {
        // struct kvm_nested_state: the VMXON pointer at 8, the current VMCS at 16; all ones: none
        for (const auto& [offset, slot] :
             {std::pair{8, Slot::vmxon_pointer}, std::pair{16, Slot::current_vmcs}})
            if (const auto pointer = little_endian(bytes, static_cast<std::size_t>(offset), 8))
                dump.state.set(slot, *pointer);
        bytes.remove_prefix(header_bytes);
    }
    for (const Place& place : layout)
        if (const auto value = little_endian(bytes, place.offset, place.bytes))
            dump.state.set(place.slot, *value);
    // The VM-instruction error stays from whatever failed last; it tells of an entry only together with a
    // failed exit reason, or when nothing has exited yet.
    const std::uint64_t reason = dump.state[Slot::exit_reason].value;
    report_from_fields(dump);
    if (reason != 0 || dump.reported.instruction_error == 0U) dump.reported.instruction_error.reset();
    dump.reported.entry_failed =
        is_entry_failure(static_cast<std::uint32_t>(reason)) || dump.reported.instruction_error.has_value();
    return dump;
}

}  // namespace hyperstep::explain
