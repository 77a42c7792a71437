#include <array>
#include <charconv>

#include "vmx/rules/exit_reasons.hpp"
#include "vmx/rules/interruption_info.hpp"

// VM exits in plain words.
namespace hyperstep::vmx {
namespace {

std::string hex(std::uint64_t value) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    return "0x" + std::string{digits.data(), end};
}

/// Parts of a sentence with semicolons between them; empty ones are passed over.
class Clauses {
public:
    void add(std::string_view clause) {
        if (clause.empty()) return;
        if (!text_.empty()) text_ += "; ";
        text_ += clause;
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::string_view words_of(std::span<const DecodedBits> parts, std::string_view name) {
    const DecodedBits* p = part(parts, name);
    return p == nullptr ? std::string_view{} : p->words;
}

bool is_one(std::span<const DecodedBits> parts, std::string_view name) {
    const DecodedBits* p = part(parts, name);
    return p != nullptr && p->value == 1;
}

std::string joined(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
        text += words[i];
    }
    return text;
}

/// "the page is readable and executable, not writable", "the page is readable, neither writable nor
/// executable"
std::string page_permissions(std::span<const DecodedBits> parts) {
    std::vector<std::string_view> granted;
    std::vector<std::string_view> denied;
    for (const std::string_view permission : {"readable", "writable", "executable"})
        (is_one(parts, permission) ? granted : denied).push_back(permission);
    if (granted.empty()) return "the page is not present: neither readable, writable nor executable";
    std::string text = "the page is " + joined(granted);
    if (denied.size() == 1) text += ", not " + std::string{denied.front()};
    if (denied.size() == 2)
        text += ", neither " + std::string{denied.front()} + " nor " + std::string{denied.back()};
    return text;
}

std::string accesses(std::span<const DecodedBits> parts) {
    std::vector<std::string_view> made;
    for (const std::string_view access : {"data read", "data write", "instruction fetch"})
        if (is_one(parts, access)) made.push_back(access);
    return made.empty() ? "no kind of access is reported" : joined(made);
}

/// What the guest's own paging says of the address: only processors with advanced information set these bits,
/// so nothing is said of bits that are 0.
void add_guest_paging(Clauses& clauses, std::span<const DecodedBits> parts) {
    for (const std::string_view name :
         {"user-mode linear address", "writable linear address", "execute-disable linear address"})
        if (is_one(parts, name)) clauses.add(words_of(parts, name));
}

std::string ept_violation(std::span<const DecodedBits> parts) {
    Clauses clauses;
    clauses.add(accesses(parts));
    clauses.add(page_permissions(parts));
    if (is_one(parts, "executable for user-mode addresses"))
        clauses.add(words_of(parts, "executable for user-mode addresses"));
    clauses.add(words_of(parts, "guest linear address valid"));
    if (const DecodedBits* final_access = part(parts, "final access"))
        clauses.add(final_access->value == 1 ? "final access" : "access to a guest paging-structure entry");
    add_guest_paging(clauses, parts);
    for (const std::string_view name : {"NMI unblocking due to IRET",
                                        "shadow-stack access",
                                        "supervisor shadow-stack page",
                                        "guest-paging verification",
                                        "asynchronous"})
        clauses.add(words_of(parts, name));
    return clauses.text();
}

std::string cr_access(std::span<const DecodedBits> parts) {
    const std::string_view access = words_of(parts, "access type");
    if (access == "CLTS") return "CLTS";
    if (access == "LMSW") {
        std::string text = "LMSW of " + hex(part(parts, "LMSW source data")->value);
        return text + " from " + std::string{words_of(parts, "LMSW operand")};
    }
    const std::string cr{words_of(parts, "control register")};
    const std::string gpr{words_of(parts, "general-purpose register")};
    return access == "MOV to CR" ? "MOV to " + cr + " from " + gpr : "MOV from " + cr + " to " + gpr;
}

std::string mov_dr(std::span<const DecodedBits> parts) {
    const std::string dr{words_of(parts, "debug register")};
    const std::string gpr{words_of(parts, "general-purpose register")};
    return is_one(parts, "direction") ? "MOV from " + dr + " to " + gpr : "MOV to " + dr + " from " + gpr;
}

std::string io(std::span<const DecodedBits> parts) {
    std::string text = is_one(parts, "REP prefix") ? "REP " : "";
    const bool in = is_one(parts, "direction");
    if (is_one(parts, "string instruction"))
        text += in ? "INS" : "OUTS";
    else
        text += in ? "IN" : "OUT";
    text += in ? " of " : " to ";
    const std::string port = "port " + hex(part(parts, "port")->value);
    const std::string size{words_of(parts, "size")};
    text = in ? text + size + " from " + port : text + port + ", " + size;
    text += is_one(parts, "operand encoding") ? ", immediate port number" : ", port number in DX";
    return text;
}

/// Each part by its words, or by its name and number; parts that say nothing are passed over.
std::string in_general(std::span<const DecodedBits> parts) {
    Clauses clauses;
    for (const DecodedBits& p : parts) {
        const bool is_flag = p.high == p.low;
        if (!p.words.empty())
            clauses.add(is_flag ? std::string{p.words} : std::string{p.name} + ": " + std::string{p.words});
        else if (!is_flag)
            clauses.add(std::string{p.name} + ' ' + hex(p.value));
    }
    return clauses.text();
}

std::string debug_exception(std::span<const DecodedBits> parts) {
    Clauses clauses;
    const std::uint64_t breakpoints = part(parts, "B3-B0")->value;
    for (unsigned n = 0; n < 4; ++n)
        if ((breakpoints >> n & 1U) != 0) clauses.add("breakpoint " + std::to_string(n));
    for (const DecodedBits& p : parts)
        if (p.high == p.low) clauses.add(p.words);
    return clauses.text();
}

std::string qualification_words(Layout layout, std::uint64_t qualification) {
    const std::vector<DecodedBits> parts = decode(layout, qualification);
    switch (layout) {
        case Layout::ept_violation: return ept_violation(parts);
        case Layout::cr_access: return cr_access(parts);
        case Layout::mov_dr: return mov_dr(parts);
        case Layout::io:
        case Layout::io_smi: return io(parts);
        case Layout::debug_exception: return debug_exception(parts);
        case Layout::guest_state_cause:
            return parts.front().words == "reserved" ? "unknown qualification " + hex(qualification)
                                                     : std::string{parts.front().words};
        case Layout::msr_load_entry:
            return "entry " + std::to_string(qualification) + " of the MSR-load area";
        case Layout::unspecified: return "qualification " + hex(qualification);
        default: return in_general(parts);
    }
}

void add_flags(Clauses& clauses, std::uint32_t exit_reason) {
    for (const DecodedBits& flag : decode_exit_reason(exit_reason)) {
        const bool is_basic = flag.low == 0;
        const bool said_by_the_name = flag.low == 31;
        if (!is_basic && !said_by_the_name) clauses.add(flag.words);
    }
}

std::string name_of(std::uint32_t exit_reason) {
    const ExitReasonInfo* reason = find_exit_reason(basic_reason(exit_reason));
    if (reason == nullptr)
        return "exit reason " + std::to_string(basic_reason(exit_reason)) +
               ", which the manual gives no meaning";
    std::string name{reason->name};
    if (is_entry_failure(exit_reason) && reason->kind != ExitKind::entry_failure)
        name = "failed VM entry: " + name;
    return name;
}

}  // namespace

std::string sentence(const ExitRecord& exit) {
    Clauses clauses;
    const std::uint32_t event = exit.interruption_info.value_or(0);
    if (exit.interruption_info && basic_reason(exit.exit_reason) < 2)
        clauses.add(describe_interruption(event, InterruptionField::exit));
    if (exit.qualification)
        clauses.add(
            qualification_words(layout_of_qualification(exit.exit_reason, event), *exit.qualification));
    if (exit.instruction_information)
        clauses.add(
            in_general(decode_instruction_information(exit.exit_reason, *exit.instruction_information)));
    add_flags(clauses, exit.exit_reason);
    const std::string name = name_of(exit.exit_reason);
    return clauses.text().empty() ? name : name + ": " + clauses.text();
}

}  // namespace hyperstep::vmx
