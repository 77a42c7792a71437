#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "explain/memory_image.hpp"
#include "explain/state_json.hpp"
#include "explain/state_keys.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"

namespace hyperstep::explain {
namespace {

using nlohmann::ordered_json;
using vmx::Slot;
using vmx::State;

std::string hex(std::uint64_t number) {
    return fmt::format("{:#x}", number);
}

/// Every slot is known that "complete" speaks of: all but the capabilities.
bool all_known(const State& state) {
    for (const auto kind : {vmx::SlotKind::field, vmx::SlotKind::processor, vmx::SlotKind::memory})
        for (const Slot s : vmx::slots_of(kind))
            if (!state.knows(s)) return false;
    return state.msr_load_complete;
}

void write_cpu(ordered_json& object, const State& state, std::string_view cpu) {
    const vmx::Capabilities mine = vmx::capabilities_of(state);
    const auto named = vmx::preset(cpu);
    if (named && *named == mine) {
        object["cpu"] = std::string{cpu};
        return;
    }
    const vmx::Capabilities unknown;
    if (mine == unknown) return;
    ordered_json& msrs = object["cpu"] = ordered_json::object();
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const bool says_more = mine[s].known != unknown[s].known || mine[s].value != unknown[s].value;
        if (!state.knows(s) || !says_more) continue;
        const vmx::SlotInfo& row = vmx::info(s);
        msrs[row.number != 0 ? hex(row.number) : std::string{row.name}] = hex(state[s].value);
    }
}

void write_processor(ordered_json& object, const State& state) {
    ordered_json processor = ordered_json::object();
    for (const ProcessorKey& row : processor_keys) {
        if (!state.knows(row.slot)) continue;
        const std::uint64_t value = state[row.slot].value;
        ordered_json& out = processor[std::string{row.key}];
        if (row.form == ProcessorKey::Form::flag && value <= 1)
            out = value == 1;
        else if (row.form == ProcessorKey::Form::count)
            out = value;
        else
            out = hex(value);
    }
    if (state.knows(Slot::executive_launch_state))
        processor["executive"]["launch_state"] =
            state[Slot::executive_launch_state].value == 0 ? "clear" : "launched";
    if (state.knows(Slot::executive_controls_valid))
        processor["executive"]["controls_valid"] = state[Slot::executive_controls_valid].value != 0;
    if (!processor.empty()) object["processor"] = std::move(processor);
}

void write_options(ordered_json& object, const State& state) {
    for (const vmx::OptionInfo& option : vmx::all_options())
        if (state[option.slot].value == 1) object["options"][std::string{option.name}] = option.choices[1];
}

/// The memory that gives the MSR-load area and the fetched words, as far as one address needs one byte only.
MemoryImage image_of(const State& state) {
    MemoryImage image;
    for (std::size_t i = 0; i < state.msr_load.size(); ++i) {
        const auto address = msr_entry_address(state, i);
        if (!address) break;
        const vmx::MsrEntry& entry = state.msr_load[i];
        image.fill(*address, entry.index | static_cast<std::uint64_t>(entry.reserved) << 32U, 8);
        image.fill(*address + 8, entry.value, 8);
    }
    for (const MemoryPlace& place : memory_places(state))
        if (state.knows(place.slot)) image.fill(place.address, state[place.slot].value, place.bytes);
    return image;
}

void write_memory(ordered_json& object, const MemoryImage& image) {
    ordered_json pieces = ordered_json::array();
    for (const auto& [address, bytes] : image.joined()) {
        std::string digits;
        for (const std::uint8_t byte : bytes) digits += fmt::format("{:02x}", byte);
        pieces.push_back({{"gpa", hex(address)}, {"bytes", std::move(digits)}});
    }
    if (!pieces.empty()) object["memory"] = std::move(pieces);
}

/// What `memory` cannot say: a word without an address, or two that need different bytes at one.
void write_fetched(ordered_json& object, const State& state, const MemoryImage& image, bool complete) {
    const auto places = memory_places(state);
    for (const Slot s : vmx::slots_of(vmx::SlotKind::memory)) {
        if (!state.knows(s)) continue;
        const auto place =
            std::find_if(places.begin(), places.end(), [s](const MemoryPlace& p) { return p.slot == s; });
        std::optional<std::uint64_t> read;
        if (place != places.end()) read = image.read(place->address, place->bytes);
        if (!read && complete && s != Slot::vmcs_word0) read = 0;
        if (read != state[s].value)
            object["fetched"][std::string{vmx::info(s).name}] = {{"at", hex(address_of_slot(state, s))},
                                                                 {"value", hex(state[s].value)}};
    }
    const std::uint64_t count =
        std::min<std::uint64_t>(state[Slot::entry_msr_load_count].value, vmx::max_msr_entries);
    const bool written = !state.msr_load.empty() && state.knows(Slot::entry_msr_load_addr);
    if (state.msr_load.size() != count && (complete || written))
        object["msr_load_entries"] = state.msr_load.size();
}

}  // namespace

std::string write_state(const State& state, std::string_view cpu) {
    const bool complete = all_known(state);
    ordered_json object;
    object["schema"] = "hyperstep/state/1";
    write_cpu(object, state, cpu);
    if (state.knows(Slot::instruction))
        object["instruction"] = state[Slot::instruction].value == 0 ? "vmlaunch" : "vmresume";
    if (state.knows(Slot::launch_state))
        object["launch_state"] = state[Slot::launch_state].value == 0 ? "clear" : "launched";
    if (state.knows(Slot::current_vmcs)) object["current_vmcs"] = hex(state[Slot::current_vmcs].value);
    object["complete"] = complete;
    ordered_json& fields = object["fields"] = ordered_json::object();
    for (const Slot s : vmx::slots_of(vmx::SlotKind::field))
        if (state.knows(s) && (!complete || state[s].value != 0))
            fields[std::string{vmx::info(s).name}] = hex(state[s].value);
    const MemoryImage image = image_of(state);
    write_memory(object, image);
    write_fetched(object, state, image, complete);
    write_processor(object, state);
    write_options(object, state);
    return object.dump();
}

}  // namespace hyperstep::explain
