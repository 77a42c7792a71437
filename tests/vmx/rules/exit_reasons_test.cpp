#include "vmx/rules/exit_reasons.hpp"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vmx/rules/interruption_info.hpp"
#include "vmx/rules/vm_instruction_errors.hpp"

namespace hyperstep::vmx {
namespace {

// SDM "VMX Basic Exit Reasons". 35, 38, 42, 71, 82 and 83 have no meaning.
TEST(ExitReasons, HaveTheManualsNumbers) {
    struct Row {
        std::uint16_t number;
        std::string_view short_name;
    };
    constexpr Row rows[] = {
        {0, "exception_nmi"},
        {1, "external_interrupt"},
        {2, "triple_fault"},
        {3, "init_signal"},
        {4, "sipi"},
        {5, "io_smi"},
        {6, "other_smi"},
        {7, "interrupt_window"},
        {8, "nmi_window"},
        {9, "task_switch"},
        {10, "cpuid"},
        {11, "getsec"},
        {12, "hlt"},
        {13, "invd"},
        {14, "invlpg"},
        {15, "rdpmc"},
        {16, "rdtsc"},
        {17, "rsm"},
        {18, "vmcall"},
        {19, "vmclear"},
        {20, "vmlaunch"},
        {21, "vmptrld"},
        {22, "vmptrst"},
        {23, "vmread"},
        {24, "vmresume"},
        {25, "vmwrite"},
        {26, "vmxoff"},
        {27, "vmxon"},
        {28, "cr_access"},
        {29, "mov_dr"},
        {30, "io_instruction"},
        {31, "rdmsr"},
        {32, "wrmsr"},
        {33, "entry_fail_guest_state"},
        {34, "entry_fail_msr_load"},
        {36, "mwait"},
        {37, "monitor_trap_flag"},
        {39, "monitor"},
        {40, "pause"},
        {41, "entry_fail_machine_check"},
        {43, "tpr_below_threshold"},
        {44, "apic_access"},
        {45, "virtualized_eoi"},
        {46, "gdtr_idtr_access"},
        {47, "ldtr_tr_access"},
        {48, "ept_violation"},
        {49, "ept_misconfig"},
        {50, "invept"},
        {51, "rdtscp"},
        {52, "preemption_timer"},
        {53, "invvpid"},
        {54, "wbinvd"},
        {55, "xsetbv"},
        {56, "apic_write"},
        {57, "rdrand"},
        {58, "invpcid"},
        {59, "vmfunc"},
        {60, "encls"},
        {61, "rdseed"},
        {62, "pml_full"},
        {63, "xsaves"},
        {64, "xrstors"},
        {65, "pconfig"},
        {66, "spp"},
        {67, "umwait"},
        {68, "tpause"},
        {69, "loadiwkey"},
        {70, "enclv"},
        {72, "enqcmd_pasid_fail"},
        {73, "enqcmds_pasid_fail"},
        {74, "bus_lock"},
        {75, "instruction_timeout"},
        {76, "seamcall"},
        {77, "tdcall"},
        {78, "rdmsrlist"},
        {79, "wrmsrlist"},
        {80, "urdmsr"},
        {81, "uwrmsr"},
        {84, "rdmsr_imm"},
        {85, "wrmsrns_imm"},
    };
    ASSERT_EQ(all_exit_reasons().size(), std::size(rows));
    for (const Row& row : rows) {
        const ExitReasonInfo* by_number = find_exit_reason(row.number);
        ASSERT_NE(by_number, nullptr) << row.number;
        EXPECT_EQ(by_number->short_name, row.short_name);
        EXPECT_EQ(find_exit_reason(row.short_name), by_number);
        EXPECT_FALSE(by_number->name.empty());
        EXPECT_FALSE(by_number->when.empty());
    }
    for (const std::uint32_t none : {35U, 38U, 42U, 71U, 82U, 83U, 86U, 0xffffU, 0x8000'0021U})
        EXPECT_EQ(find_exit_reason(none), nullptr) << none;
    EXPECT_EQ(find_exit_reason("no_such_reason"), nullptr);
}

std::set<std::string_view> fields_of(const ReadSet& set) {
    std::set<std::string_view> names;
    for (const Slot s : set) names.insert(info(s).name);
    return names;
}

TEST(ExitReasons, GiveTheFieldsThatTheManualCallsValid) {
    struct Row {
        std::uint32_t number;
        std::set<std::string_view> valid;
    };
    const Row rows[] = {
        {0, {"exit_intr_info"}},
        {1, {}},
        {10, {"exit_instruction_len"}},
        {19, {"exit_instruction_len", "exit_instruction_info"}},
        {33, {}},
        {34, {}},
        {41, {}},
        {48, {"guest_physical_address"}},
        {49, {"guest_physical_address"}},
        {57, {"exit_instruction_len", "exit_instruction_info"}},
        {79, {"exit_instruction_len", "exit_msr_data"}},
    };
    for (const Row& row : rows)
        EXPECT_EQ(fields_of(find_exit_reason(row.number)->valid), row.valid) << row.number;
    EXPECT_EQ(fields_of(find_exit_reason(48)->maybe),
              (std::set<std::string_view>{
                  "guest_linear_address", "idt_vectoring_info", "idt_vectoring_error_code"}));
    for (const ExitReasonInfo& r : all_exit_reasons())
        for (const Slot s : r.valid) EXPECT_EQ(type_of(*field_in(s)), FieldType::exit) << r.short_name;
}

TEST(ExitReasons, OnlyFailedEntriesAreEntryFailures) {
    for (const ExitReasonInfo& r : all_exit_reasons())
        EXPECT_EQ(r.kind == ExitKind::entry_failure, r.number == 33 || r.number == 34 || r.number == 41)
            << r.short_name;
}

// SDM "Format of Exit Reason".
TEST(ExitReasonField, HasItsFlags) {
    struct Row {
        std::uint32_t word;
        std::string_view name;
        unsigned bit;
    };
    constexpr Row rows[] = {
        {0x0200'0000, "busy shadow stack", 25},
        {0x0400'0000, "bus lock", 26},
        {0x0800'0000, "enclave mode", 27},
        {0x1000'0000, "pending MTF", 28},
        {0x2000'0000, "from VMX root operation", 29},
        {0x8000'0000, "VM-entry failure", 31},
    };
    for (const Row& row : rows) {
        const auto parts = decode_exit_reason(row.word);
        ASSERT_NE(part(parts, row.name), nullptr);
        EXPECT_EQ(part(parts, row.name)->value, 1U);
        EXPECT_EQ(part(parts, row.name)->low, row.bit);
        for (const DecodedBits& other : parts)
            EXPECT_EQ(other.value, other.name == row.name ? 1U : 0U) << other.name;
    }
    EXPECT_EQ(decode_exit_reason(0x8000'0021).front().words, "VM-entry failure due to invalid guest state");
    EXPECT_EQ(basic_reason(0x8000'0021), 33);
    EXPECT_TRUE(is_entry_failure(0x8000'0021));
    EXPECT_FALSE(is_entry_failure(0x21));
}

struct Range {
    unsigned high, low;
    std::string_view name;
    bool operator==(const Range&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Range& r) {
    return out << r.high << ':' << r.low << ' ' << r.name;
}
std::vector<Range> layout(Layout l) {
    std::vector<Range> ranges;
    for (const BitRange& r : ranges_of(l)) ranges.push_back({r.high, r.low, r.name});
    return ranges;
}

// SDM "Exit Qualification for Control-Register Accesses", "... for MOV DR", "... for I/O Instructions",
// "... for Task Switches", "... for Debug Exceptions", "... for APIC-Access VM Exits", "... for EPT
// Violations".
TEST(Qualification, IsDividedAsTheManualPrints) {
    EXPECT_EQ(layout(Layout::cr_access),
              (std::vector<Range>{{3, 0, "control register"},
                                  {5, 4, "access type"},
                                  {6, 6, "LMSW operand"},
                                  {11, 8, "general-purpose register"},
                                  {31, 16, "LMSW source data"}}));
    EXPECT_EQ(layout(Layout::mov_dr),
              (std::vector<Range>{
                  {2, 0, "debug register"}, {4, 4, "direction"}, {11, 8, "general-purpose register"}}));
    EXPECT_EQ(layout(Layout::io),
              (std::vector<Range>{{2, 0, "size"},
                                  {3, 3, "direction"},
                                  {4, 4, "string instruction"},
                                  {5, 5, "REP prefix"},
                                  {6, 6, "operand encoding"},
                                  {31, 16, "port"}}));
    EXPECT_EQ(layout(Layout::task_switch),
              (std::vector<Range>{{15, 0, "selector of the new TSS"}, {31, 30, "source"}}));
    EXPECT_EQ(layout(Layout::debug_exception),
              (std::vector<Range>{
                  {3, 0, "B3-B0"}, {11, 11, "BLD"}, {13, 13, "BD"}, {14, 14, "BS"}, {16, 16, "RTM"}}));
    EXPECT_EQ(layout(Layout::apic_access),
              (std::vector<Range>{
                  {11, 0, "offset in the APIC page"}, {15, 12, "access type"}, {16, 16, "asynchronous"}}));
    EXPECT_EQ(layout(Layout::ept_violation),
              (std::vector<Range>{{0, 0, "data read"},
                                  {1, 1, "data write"},
                                  {2, 2, "instruction fetch"},
                                  {3, 3, "readable"},
                                  {4, 4, "writable"},
                                  {5, 5, "executable"},
                                  {6, 6, "executable for user-mode addresses"},
                                  {7, 7, "guest linear address valid"},
                                  {8, 8, "final access"},
                                  {9, 9, "user-mode linear address"},
                                  {10, 10, "writable linear address"},
                                  {11, 11, "execute-disable linear address"},
                                  {12, 12, "NMI unblocking due to IRET"},
                                  {13, 13, "shadow-stack access"},
                                  {14, 14, "supervisor shadow-stack page"},
                                  {15, 15, "guest-paging verification"},
                                  {16, 16, "asynchronous"}}));
    EXPECT_TRUE(layout(Layout::always_zero).empty());
}

// SDM "Information for VM Exits Due to Instruction Execution": the instruction-information formats.
TEST(InstructionInformation, IsDividedAsTheManualPrints) {
    const Range scale{1, 0, "scale"}, size{9, 7, "address size"}, segment{17, 15, "segment"};
    const Range index{21, 18, "index register"}, no_index{22, 22, "index register invalid"};
    const Range base{26, 23, "base register"}, no_base{27, 27, "base register invalid"};
    EXPECT_EQ(layout(Layout::string_io_operand), (std::vector<Range>{size, {17, 15, "segment (OUTS)"}}));
    EXPECT_EQ(layout(Layout::memory_operand),
              (std::vector<Range>{scale, size, segment, index, no_index, base, no_base}));
    EXPECT_EQ(
        layout(Layout::memory_and_register_operands),
        (std::vector<Range>{scale, size, segment, index, no_index, base, no_base, {31, 28, "register 2"}}));
    EXPECT_EQ(layout(Layout::vmread_vmwrite_operands),
              (std::vector<Range>{scale,
                                  {6, 3, "register 1"},
                                  size,
                                  {10, 10, "first operand"},
                                  segment,
                                  index,
                                  no_index,
                                  base,
                                  no_base,
                                  {31, 28, "register 2"}}));
    EXPECT_EQ(layout(Layout::gdtr_idtr_operand),
              (std::vector<Range>{scale,
                                  size,
                                  {11, 11, "operand size"},
                                  segment,
                                  index,
                                  no_index,
                                  base,
                                  no_base,
                                  {29, 28, "instruction"}}));
    EXPECT_EQ(layout(Layout::ldtr_tr_operand),
              (std::vector<Range>{scale,
                                  {6, 3, "register 1"},
                                  size,
                                  {10, 10, "operand"},
                                  segment,
                                  index,
                                  no_index,
                                  base,
                                  no_base,
                                  {29, 28, "instruction"}}));
    EXPECT_EQ(layout(Layout::register_operand),
              (std::vector<Range>{{6, 3, "register"}, {12, 11, "operand size"}}));
    EXPECT_EQ(layout(Layout::xmm_operands),
              (std::vector<Range>{{6, 3, "XMM register 1"}, {31, 28, "XMM register 2"}}));
}

TEST(Qualification, OfAnExceptionDependsOnItsVector) {
    EXPECT_EQ(layout_of_qualification(0, 0x8000'0301), Layout::debug_exception);
    EXPECT_EQ(layout_of_qualification(0, 0x8000'0b0e), Layout::linear_address);
    EXPECT_EQ(layout_of_qualification(0, 0x8000'0306), Layout::always_zero);
    EXPECT_EQ(layout_of_qualification(0, 0x8000'0202), Layout::always_zero);
    EXPECT_EQ(layout_of_qualification(0, 0x0000'0301), Layout::always_zero) << "not valid";
    EXPECT_EQ(layout_of_qualification(35), Layout::unspecified);
}

TEST(Qualification, LeavesOutWhatOtherBitsMakeUndefined) {
    // No linear address: bits 11:8 say nothing. An access to a paging-structure entry: bits 11:9 say nothing.
    EXPECT_EQ(part(decode_qualification(48, 0xf01), "final access"), nullptr);
    EXPECT_NE(part(decode_qualification(48, 0x081), "final access"), nullptr);
    EXPECT_EQ(part(decode_qualification(48, 0xe81), "user-mode linear address"), nullptr);
    EXPECT_NE(part(decode_qualification(48, 0xf81), "user-mode linear address"), nullptr);
    // Only LMSW has source data, only MOV has a register.
    EXPECT_EQ(part(decode_qualification(28, 0x0000'0300), "LMSW source data"), nullptr);
    EXPECT_EQ(part(decode_qualification(28, 0x0033'0030), "general-purpose register"), nullptr);
    EXPECT_EQ(part(decode_qualification(28, 0x0033'0030), "LMSW source data")->value, 0x33U);
}

TEST(InstructionInformation, LeavesOutOperandsThatAreNotThere) {
    // VMREAD RAX -> memory [RBX], 64-bit addressing, DS, no index: base 3, base valid, index invalid.
    const auto in_memory = decode_instruction_information(23, 0x01c1'8100);
    EXPECT_EQ(part(in_memory, "base register")->words, "RBX");
    EXPECT_EQ(part(in_memory, "segment")->words, "DS");
    EXPECT_EQ(part(in_memory, "address size")->words, "64 bits");
    EXPECT_EQ(part(in_memory, "index register"), nullptr);
    EXPECT_EQ(part(in_memory, "register 1"), nullptr);
    // VMREAD with register operands: first RCX, second RDX.
    const auto in_register = decode_instruction_information(23, 0x2000'0408);
    EXPECT_EQ(part(in_register, "register 1")->words, "RCX");
    EXPECT_EQ(part(in_register, "register 2")->words, "RDX");
    EXPECT_EQ(part(in_register, "base register"), nullptr);
    EXPECT_TRUE(decode_instruction_information(10, 0xffff'ffff).empty());
    EXPECT_TRUE(decode_instruction_information(35, 0xffff'ffff).empty());
}

TEST(Sentence, SaysAnExitInPlainWords) {
    struct Row {
        std::uint32_t reason;
        std::uint64_t qualification;
        std::string_view text;
    };
    constexpr Row rows[] = {
        {48,
         0x181,
         "EPT violation: data read; the page is not present: neither readable, writable nor executable; "
         "linear address valid; final access"},
        {48,
         0x18a,
         "EPT violation: data write; the page is readable, neither writable nor executable; linear address "
         "valid; final access"},
        {48,
         0x1ac,
         "EPT violation: instruction fetch; the page is readable and executable, not writable; linear "
         "address valid; final access"},
        {48,
         0x083,
         "EPT violation: data read and data write; the page is not present: neither readable, writable nor "
         "executable; linear address valid; access to a guest paging-structure entry"},
        {48,
         0x001,
         "EPT violation: data read; the page is not present: neither readable, writable nor executable; no "
         "linear address"},
        {48,
         0x13ba,
         "EPT violation: data write; the page is readable, writable and executable; linear address valid; "
         "final access; user-mode address; IRET had unblocked NMIs"},
        {28, 0x000, "Control-register accesses: MOV to CR0 from RAX"},
        {28, 0x313, "Control-register accesses: MOV from CR3 to RBX"},
        {28, 0x020, "Control-register accesses: CLTS"},
        {28, 0x000b'0030, "Control-register accesses: LMSW of 0xb from register"},
        {29, 0x107, "MOV DR: MOV to DR7 from RCX"},
        {29, 0x016, "MOV DR: MOV from DR6 to RAX"},
        {30, 0x03f8'0000, "I/O instruction: OUT to port 0x3f8, 1 byte, port number in DX"},
        {30, 0x0060'0048, "I/O instruction: IN of 1 byte from port 0x60, immediate port number"},
        {30, 0x01f0'0039, "I/O instruction: REP INS of 2 bytes from port 0x1f0, port number in DX"},
        {9, 0xc000'0028, "Task switch: selector of the new TSS 0x28; source: task gate in the IDT"},
        {44, 0x10b0, "APIC access: offset in the APIC page 0xb0; access type: linear access: data write"},
        {14, 0x1000, "INVLPG: linear address 0x1000"},
        {10, 0, "CPUID"},
        {36, 1, "MWAIT: armed"},
        {0x8000'0021,
         0,
         "VM-entry failure due to invalid guest state: one of the other checks on the guest-state area"},
        {0x8000'0021, 2, "VM-entry failure due to invalid guest state: a PDPTE that cannot be loaded"},
        {0x8000'0021,
         3,
         "VM-entry failure due to invalid guest state: injection of an NMI while events are blocked by STI"},
        {0x8000'0021, 4, "VM-entry failure due to invalid guest state: the VMCS link pointer"},
        {0x8000'0021, 9, "VM-entry failure due to invalid guest state: unknown qualification 0x9"},
        {0x8000'0022, 3, "VM-entry failure due to MSR loading: entry 3 of the MSR-load area"},
        {0x0800'000a, 0, "CPUID: the logical processor was in enclave mode"},
        {35, 0, "exit reason 35, which the manual gives no meaning: qualification 0x0"},
    };
    for (const Row& row : rows) EXPECT_EQ(sentence({row.reason, row.qualification, {}, {}}), row.text);
    EXPECT_EQ(sentence({0, 0x4000, 0x8000'0301, {}}),
              "Exception or non-maskable interrupt (NMI): hardware exception #DB (vector 1); a single "
              "instruction or a taken branch");
    EXPECT_EQ(sentence({0, 0x1234, 0x8000'0b0e, {}}),
              "Exception or non-maskable interrupt (NMI): hardware exception #PF (vector 14), with an error "
              "code; linear address 0x1234");
    EXPECT_EQ(sentence({1, 0, 0x8000'00ec, {}}), "External interrupt: external interrupt (vector 236)");
    EXPECT_EQ(sentence({57, 0, {}, 0x0000'0898}), "RDRAND: register: RBX; operand size: 32 bits");
}

// SDM "Format of the VM-Entry Interruption-Information Field".
TEST(InterruptionInformation, IsSaidInWords) {
    struct Row {
        std::uint32_t word;
        InterruptionField field;
        std::string_view text;
    };
    using enum InterruptionField;
    constexpr Row rows[] = {
        {0x0000'0b0d, exit, "no event"},
        {0x8000'0202, exit, "NMI"},
        {0x8000'1202, exit, "NMI, IRET had unblocked NMIs"},
        {0x8000'0030, entry, "external interrupt (vector 48)"},
        {0x8000'0b0d, entry, "hardware exception #GP (vector 13), with an error code"},
        {0x8000'0306, exit, "hardware exception #UD (vector 6)"},
        {0x8000'0480, idt_vectoring, "software interrupt (vector 128)"},
        {0x8000'0501, entry, "privileged software exception #DB (vector 1)"},
        {0x8000'0603, entry, "software exception #BP (vector 3)"},
        {0x8000'0700, entry, "pending MTF VM exit"},
        {0x8000'0701, entry, "SYSCALL (event type 7, vector 1)"},
        {0x8000'0702, entry, "SYSENTER (event type 7, vector 2)"},
        {0x8000'0120, entry, "reserved type (vector 32)"},
        {0x8000'0203, entry, "NMI (vector 3)"},
        {0x8000'2b0e, entry, "hardware exception #PF (vector 14), with an error code, nested exception"},
    };
    for (const Row& row : rows)
        EXPECT_EQ(describe_interruption(row.word, row.field), row.text) << std::hex << row.word;
    EXPECT_EQ(exception_mnemonic(0), "#DE");
    EXPECT_EQ(exception_mnemonic(21), "#CP");
    EXPECT_EQ(exception_mnemonic(9), "");
    EXPECT_EQ(exception_mnemonic(256), "");
}

// SDM "VM Instruction Error Numbers". 14, 21 and 27 have no meaning.
TEST(InstructionErrors, HaveTheManualsNumbers) {
    struct Row {
        std::uint8_t number;
        std::string_view short_name;
    };
    constexpr Row rows[] = {
        {0, "none"},
        {1, "vmcall_in_root"},
        {2, "vmclear_invalid_address"},
        {3, "vmclear_vmxon_pointer"},
        {4, "vmlaunch_not_clear"},
        {5, "vmresume_not_launched"},
        {6, "vmresume_after_vmxoff"},
        {7, "invalid_control_fields"},
        {8, "invalid_host_state"},
        {9, "vmptrld_invalid_address"},
        {10, "vmptrld_vmxon_pointer"},
        {11, "vmptrld_wrong_revision"},
        {12, "unsupported_component"},
        {13, "vmwrite_readonly"},
        {15, "vmxon_in_root"},
        {16, "entry_invalid_executive_vmcs"},
        {17, "entry_nonlaunched_executive"},
        {18, "entry_executive_not_vmxon"},
        {19, "vmcall_not_clear"},
        {20, "vmcall_invalid_exit_controls"},
        {22, "vmcall_bad_mseg_revision"},
        {23, "vmxoff_dual_monitor"},
        {24, "vmcall_bad_smm_features"},
        {25, "entry_invalid_exec_controls_executive"},
        {26, "entry_movss_blocking"},
        {28, "invept_invvpid_invalid_operand"},
    };
    ASSERT_EQ(all_instruction_errors().size(), std::size(rows));
    for (const Row& row : rows) {
        const InstructionErrorInfo* by_number = find_instruction_error(row.number);
        ASSERT_NE(by_number, nullptr) << unsigned{row.number};
        EXPECT_EQ(by_number->short_name, row.short_name);
        EXPECT_EQ(find_instruction_error(row.short_name), by_number);
        EXPECT_FALSE(by_number->meaning.empty());
    }
    for (const std::uint32_t none : {14U, 21U, 27U, 29U, 256U, ~0U})
        EXPECT_EQ(find_instruction_error(none), nullptr);
    EXPECT_EQ(find_instruction_error("no_such_error"), nullptr);
}

}  // namespace
}  // namespace hyperstep::vmx
