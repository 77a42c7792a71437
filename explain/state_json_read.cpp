#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "explain/json_text.hpp"
#include "explain/memory_image.hpp"
#include "explain/nearest_name.hpp"
#include "explain/state_json.hpp"
#include "explain/state_keys.hpp"
#include "explain/words.hpp"
#include "vmx/rules/capabilities.hpp"
#include "vmx/rules/evaluate.hpp"
#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

using nlohmann::json;
using vmx::Slot;
using vmx::State;

std::optional<std::uint64_t> hex_number(std::string_view text) {
    if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
    text.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// "0x..." strings, whole numbers, and true or false for 1 or 0.
std::optional<std::uint64_t> number_in(const json& value) {
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (value.is_string()) return hex_number(value.get_ref<const std::string&>());
    return std::nullopt;
}

std::vector<std::string> field_names() {
    std::vector<std::string> names;
    for (const vmx::FieldInfo& row : vmx::all_fields()) names.emplace_back(row.short_name);
    return names;
}

class Reader {
public:
    explicit Reader(std::string_view text) : text_{text} {}

    tl::expected<NamedState, TextError> read(const json& object) {
        complete_ = flag(object, "complete");
        read_schema(object);
        read_cpu(object);
        read_fields(object);
        read_instruction(object);
        read_processor(object);
        read_options(object);
        read_memory(object);
        if (error_) return tl::unexpected(*error_);
        if (complete_) complete_processor();
        fetch(object);
        if (error_) return tl::unexpected(*error_);
        if (complete_) state_.complete_with_zeros();
        return NamedState{state_, cpu_, cpu_given_};
    }

private:
    /// Keeps the first error. Its line is that of `key`, looked for behind `section`.
    void fail(std::string_view section, std::string_view key, std::string what) {
        if (error_) return;
        std::size_t at = 0;
        if (!section.empty()) at = text_.find("\"" + std::string{section} + "\"");
        if (at == std::string_view::npos) at = 0;
        const std::size_t found = text_.find("\"" + std::string{key} + "\"", at);
        error_ =
            TextError{line_at(text_, found == std::string_view::npos ? at : found), without_controls(what)};
    }

    std::optional<std::uint64_t> number(std::string_view section, const std::string& key, const json& value) {
        const auto read = number_in(value);
        if (!read)
            fail(section,
                 key,
                 "\"" + key + "\" has to be a number: \"0x...\", or a whole number from 0 to 2^64 - 1");
        return read;
    }

    bool flag(const json& object, const std::string& key) {
        const auto found = object.find(key);
        if (found == object.end()) return false;
        if (!found->is_boolean()) fail("", key, "\"" + key + "\" has to be true or false");
        return found->is_boolean() && found->get<bool>();
    }

    /// The member `key` if it is there and an object.
    const json* section(const json& object, const std::string& key) {
        const auto found = object.find(key);
        if (found == object.end()) return nullptr;
        if (!found->is_object()) {
            fail("", key, "\"" + key + "\" has to be an object: {\"name\": value, ...}");
            return nullptr;
        }
        return &*found;
    }

    void read_schema(const json& object) {
        const auto found = object.find("schema");
        if (found != object.end() && *found != "hyperstep/state/1")
            fail("", "schema", "\"schema\" has to be \"hyperstep/state/1\"");
    }

    void read_cpu(const json& object) {
        const auto found = object.find("cpu");
        if (found == object.end()) return;
        cpu_given_ = true;
        if (found->is_string()) {
            cpu_ = found->get<std::string>();
            const auto known = vmx::preset(cpu_);
            if (known) return install(state_, *known);
            std::string names;
            for (const auto& preset : vmx::all_presets())
                names += (names.empty() ? "" : ", ") + std::string{preset.name};
            return fail("", "cpu", "no processor is named \"" + cpu_ + "\"; there are " + names);
        }
        const json* msrs = section(object, "cpu");
        if (msrs == nullptr) return;
        for (const auto& [key, value] : msrs->items()) read_capability(key, value);
    }

    void read_capability(const std::string& key, const json& value) {
        std::optional<Slot> slot = vmx::slot_named(key);
        if (const auto index = hex_number(key); index && *index <= 0xffff'ffff)
            slot = vmx::capability_slot(static_cast<std::uint32_t>(*index));
        if (!slot || vmx::info(*slot).kind != vmx::SlotKind::capability)
            return fail("cpu",
                        key,
                        "\"" + key +
                            "\" is no capability: give an MSR from \"0x480\" to \"0x493\", or a name as "
                            "\"MAXPHYADDR\"");
        if (const auto word = number("cpu", key, value)) state_.set(*slot, *word);
    }

    void read_fields(const json& object) {
        const json* fields = section(object, "fields");
        if (fields == nullptr) return;
        for (const auto& [key, value] : fields->items()) read_field(key, value);
    }

    void read_field(const std::string& key, const json& value) {
        std::optional<vmx::Field> field = vmx::field_named(key);
        const auto encoding = hex_number(key);
        if (encoding && *encoding <= 0xffff)
            field = vmx::field_with_encoding(static_cast<std::uint32_t>(*encoding));
        if (!field)
            return fail("fields",
                        key,
                        "\"" + key +
                            "\" is no VMCS field: give its short name as `hyperstep vmcs` lists it, or its "
                            "encoding as \"0x681e\"" +
                            did_you_mean(key, field_names()));
        const auto word = number("fields", key, value);
        if (!word) return;
        const Slot slot = vmx::slot_of(*field);
        const bool high = encoding && *encoding == vmx::high_encoding(*field);
        const std::uint64_t room = high ? 0xffff'ffff : vmx::mask_of(*field);
        if ((*word & ~room) != 0)
            return fail("fields",
                        key,
                        "the value of \"" + key + "\" does not fit: the field has " +
                            (room == 0xffff ? "16" : "32") + " bits");
        if (!high) return state_.set(slot, *word);
        const vmx::PartialWord low = state_[slot] & vmx::PartialWord{0xffff'ffff};
        state_.set(slot, low | vmx::PartialWord{*word << 32U});
    }

    void read_instruction(const json& object) {
        read_choice(object, "instruction", Slot::instruction, {"vmlaunch", "vmresume"});
        read_choice(object, "launch_state", Slot::launch_state, {"clear", "launched"});
        if (const auto found = object.find("current_vmcs"); found != object.end())
            if (const auto pointer = number("", "current_vmcs", *found))
                state_.set(Slot::current_vmcs, *pointer);
    }

    void read_choice(const json& object,
                     const std::string& key,
                     Slot slot,
                     std::array<std::string_view, 2> choices) {
        const auto found = object.find(key);
        if (found == object.end()) return;
        for (std::size_t i = 0; i < choices.size(); ++i)
            if (found->is_string() && found->get_ref<const std::string&>() == choices[i])
                return state_.set(slot, i);
        fail("",
             key,
             "\"" + key + "\" has to be \"" + std::string{choices[0]} + "\" or \"" + std::string{choices[1]} +
                 "\"");
    }

    void read_processor(const json& object) {
        const json* processor = section(object, "processor");
        if (processor == nullptr) return;
        for (const ProcessorKey& row : processor_keys)
            if (const auto found = processor->find(row.key); found != processor->end())
                if (const auto word = number("processor", std::string{row.key}, *found))
                    state_.set(row.slot, *word);
        const json* executive = section(*processor, "executive");
        if (executive == nullptr) return;
        read_choice(*executive, "launch_state", Slot::executive_launch_state, {"clear", "launched"});
        if (executive->contains("controls_valid"))
            state_.set(Slot::executive_controls_valid, flag(*executive, "controls_valid") ? 1 : 0);
    }

    void read_options(const json& object) {
        const json* options = section(object, "options");
        if (options == nullptr) return;
        for (const auto& [key, value] : options->items()) {
            const auto rows = vmx::all_options();
            const auto row = std::find_if(
                rows.begin(), rows.end(), [&name = key](const auto& o) { return o.name == name; });
            if (row == rows.end()) return fail("options", key, "\"" + key + "\" is no option");
            read_choice(*options, key, row->slot, row->choices);
        }
    }

    void read_memory(const json& object) {
        const auto found = object.find("memory");
        if (found == object.end()) return;
        if (!found->is_array())
            return fail("", "memory", "\"memory\" has to be a list of {\"gpa\":\"0x...\",\"bytes\":\"hex\"}");
        for (const json& piece : *found) {
            if (!piece.is_object() || !piece.contains("gpa") || !piece.contains("bytes") ||
                !piece["bytes"].is_string())
                return fail(
                    "", "memory", "a piece of \"memory\" has to be {\"gpa\":\"0x...\",\"bytes\":\"hex\"}");
            const auto address = number("memory", "gpa", piece["gpa"]);
            auto bytes = bytes_in(piece["bytes"].get_ref<const std::string&>());
            if (!address) return;
            if (!bytes)
                return fail(
                    "memory", "bytes", "\"bytes\" of \"memory\" takes pairs of hexadecimal digits only");
            if (!image_.add(*address, std::move(*bytes)))
                return fail("",
                            "memory",
                            "pieces of \"memory\" overlap, or pass the end of the address space: give each "
                            "byte once");
        }
    }

    static std::optional<std::vector<std::uint8_t>> bytes_in(std::string_view hex) {
        if (hex.size() % 2 != 0) return std::nullopt;
        std::vector<std::uint8_t> bytes(hex.size() / 2);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const char* digits = hex.data() + 2 * i;
            const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
            if (error != std::errc{} || end != digits + 2) return std::nullopt;
        }
        return bytes;
    }

    void set_if_unknown(Slot slot, std::uint64_t value) {
        if (!state_.knows(slot)) state_.set(slot, value);
    }

    /// What a processor that runs a hypervisor has, where the object does not say.
    void complete_processor() {
        const std::uint64_t exit_controls = state_[Slot::exit_controls].value;
        const bool host_64 = (exit_controls & vmx::exit::host_address_space_size.mask()) != 0;
        if (!host_64) {
            set_if_unknown(Slot::cur_efer, 0);
            set_if_unknown(Slot::cur_cs_l, 0);
        }
        for (const ProcessorKey& row : processor_keys) set_if_unknown(row.slot, row.when_complete);
        set_if_unknown(Slot::instruction, 0);
        set_if_unknown(Slot::launch_state, state_[Slot::instruction].value);
        set_if_unknown(Slot::current_vmcs, 0x1000);
        set_if_unknown(Slot::executive_launch_state, 1);
        set_if_unknown(Slot::executive_controls_valid, 1);
        // Absent fields are 0 now, before memory is looked for at the addresses in them.
        for (const Slot s : vmx::slots_of(vmx::SlotKind::field)) set_if_unknown(s, state_[s].value);
    }

    void fetch(const json& object) {
        for (const MemoryPlace& place : memory_places(state_)) {
            if (const auto word = image_.read(place.address, place.bytes))
                state_.set(place.slot, *word);
            else if (complete_ && place.slot != Slot::vmcs_word0)
                state_.set(place.slot, bytes_or_zeros(place.address, place.bytes));
        }
        if (complete_)
            set_if_unknown(Slot::vmcs_word0, state_[Slot::vmx_basic][vmx::VmxBasic::revision].value);
        fetch_msr_entries(object);
        const json* fetched = section(object, "fetched");
        if (fetched == nullptr) return;
        for (const auto& [key, value] : fetched->items()) {
            const auto slot = vmx::slot_named(key);
            if (!slot || vmx::info(*slot).kind != vmx::SlotKind::memory)
                return fail("fetched",
                            key,
                            "\"" + key + "\" is nothing that an entry fetches: give a name as \"mem.vtpr\"");
            read_fetched(key, *slot, value);
        }
    }

    /// A number, or {"at","value"}: that number as long as the state leads to that address.
    void read_fetched(const std::string& key, Slot slot, const json& value) {
        if (!value.is_object()) {
            if (const auto word = number("fetched", key, value)) state_.set(slot, *word);
            return;
        }
        if (!value.contains("at") || !value.contains("value"))
            return fail("fetched", key, "\"" + key + "\" has to be a number, or have \"at\" and \"value\"");
        const auto address = number("fetched", "at", value["at"]);
        const auto word = number("fetched", "value", value["value"]);
        if (address && word && *address == address_of_slot(state_, slot)) state_.set(slot, *word);
    }

    void fetch_msr_entries(const json& object) {
        const bool count_known = state_.knows(Slot::entry_msr_load_count);
        const std::uint64_t field = state_[Slot::entry_msr_load_count].value;
        std::optional<std::uint64_t> count;
        if (count_known) count = field;
        const auto found = object.find("msr_load_entries");
        if (found != object.end()) count = number("", "msr_load_entries", *found);
        if (!count) return;
        const auto bounded = static_cast<std::size_t>(std::min<std::uint64_t>(*count, vmx::max_msr_entries));
        state_.msr_load = read_msr_entries(state_, image_, bounded);
        if (complete_) read_rest_as_zeros(bounded);
        state_.msr_load_complete = complete_ || (count_known && state_.msr_load.size() == field);
    }

    /// In a complete state the bytes that "memory" does not give are 0.
    std::uint64_t bytes_or_zeros(std::uint64_t address, unsigned bytes) const {
        std::uint64_t number = 0;
        for (unsigned i = 0; i < bytes; ++i) number |= image_.read(address + i, 1).value_or(0) << (8 * i);
        return number;
    }

    void read_rest_as_zeros(std::size_t count) {
        for (std::size_t i = state_.msr_load.size(); i < count; ++i) {
            const std::uint64_t address = msr_entry_address(state_, i).value_or(0);
            state_.msr_load.push_back({static_cast<std::uint32_t>(bytes_or_zeros(address, 4)),
                                       static_cast<std::uint32_t>(bytes_or_zeros(address + 4, 4)),
                                       bytes_or_zeros(address + 8, 8)});
        }
    }

    std::string_view text_;
    State state_;
    MemoryImage image_;
    std::string cpu_;
    bool cpu_given_ = false;
    bool complete_ = false;
    std::optional<TextError> error_;
};

}  // namespace

tl::expected<NamedState, TextError> read_state(std::string_view text) {
    if (text.size() > max_state_text)
        return tl::unexpected(TextError{0, "the text is longer than 64 MiB: a state is a few KiB"});
    if (auto problem = problem_in_json(text)) return tl::unexpected(std::move(*problem));
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object())
        return tl::unexpected(
            TextError{1, "a state is a JSON object: {\"schema\":\"hyperstep/state/1\", ...}"});
    try {
        return Reader{text}.read(object);
    } catch (const json::exception&) {
        return tl::unexpected(TextError{0, "this JSON cannot be used: a string may not be UTF-8"});
    }
}

}  // namespace hyperstep::explain
