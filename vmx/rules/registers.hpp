#pragma once
#include <cstdint>

#include "base/bits.hpp"
#include "base/x86_registers.hpp"

// Bit layouts of the words that VM-entry checks read, named as the manual names them.
namespace hyperstep::vmx {

using x86::AccessRights;
using x86::Cr0;
using x86::Cr4;
using x86::Efer;
using x86::Rflags;
using x86::Selector;

/// SDM "Format of the VM-Entry Interruption-Information Field" and its VM-exit and IDT-vectoring sisters.
enum class EventType : std::uint8_t {
    external_interrupt = 0,
    reserved = 1,
    nmi = 2,
    hardware_exception = 3,
    software_interrupt = 4,
    privileged_software_exception = 5,
    software_exception = 6,
    other = 7,
};
struct InterruptionInfo : Register<InterruptionInfo> {
    static constexpr Bits<7, 0> vector{};
    static constexpr Bits<10, 8> type{};
    static constexpr Bits<11> deliver_error_code{};
    static constexpr Bits<12> nmi_unblocking{};  ///< VM-exit form only
    static constexpr Bits<13> nested_exception{};
    static constexpr Bits<31> valid{};
};

/// SDM "Format of Interruptibility State".
struct Interruptibility : Register<Interruptibility> {
    static constexpr Bits<0> sti{};
    static constexpr Bits<1> mov_ss{};
    static constexpr Bits<2> smi{};
    static constexpr Bits<3> nmi{};
    static constexpr Bits<4> enclave{};
};

/// SDM "Guest Non-Register State", activity state.
enum class ActivityState : std::uint8_t { active = 0, hlt = 1, shutdown = 2, wait_for_sipi = 3 };

/// SDM "Format of Pending-Debug-Exceptions".
struct PendingDebug : Register<PendingDebug> {
    static constexpr Bits<3, 0> b{};
    static constexpr Bits<11> bus_lock{};
    static constexpr Bits<12> enabled_breakpoint{};
    static constexpr Bits<14> bs{};
    static constexpr Bits<16> rtm{};
};

/// SDM "IA32_DEBUGCTL MSR".
struct Debugctl : Register<Debugctl> {
    static constexpr Bits<0> lbr{};
    static constexpr Bits<1> btf{};
};

/// SDM "Format of Extended-Page-Table Pointer".
struct Eptp : Register<Eptp> {
    static constexpr Bits<2, 0> memory_type{};
    static constexpr Bits<5, 3> walk_length_minus_one{};
    static constexpr Bits<6> enable_access_dirty{};
    static constexpr Bits<7> supervisor_shadow_stack{};
    static constexpr Bits<11, 8> reserved{};
};

/// SDM "Basic VMX Information".
struct VmxBasic : Register<VmxBasic> {
    static constexpr Bits<30, 0> revision{};
    static constexpr Bits<44, 32> region_bytes{};
    static constexpr Bits<48> addresses_32_bit{};
    static constexpr Bits<49> dual_monitor{};
    static constexpr Bits<53, 50> memory_type{};
    static constexpr Bits<54> ins_outs_information{};
    static constexpr Bits<55> true_controls{};
    static constexpr Bits<56> any_error_code{};
    static constexpr Bits<58> nested_exception{};
};

/// SDM "Miscellaneous Data".
struct VmxMisc : Register<VmxMisc> {
    static constexpr Bits<4, 0> timer_shift{};
    static constexpr Bits<5> stores_lma{};
    static constexpr Bits<6> hlt{};
    static constexpr Bits<7> shutdown{};
    static constexpr Bits<8> wait_for_sipi{};
    static constexpr Bits<14> intel_pt{};
    static constexpr Bits<15> smbase{};
    static constexpr Bits<24, 16> cr3_targets{};
    static constexpr Bits<27, 25> msr_list{};
    static constexpr Bits<28> smm_unblock{};
    static constexpr Bits<29> vmwrite_any{};
    static constexpr Bits<30> zero_length_injection{};
};

/// SDM "VPID and EPT Capabilities".
struct EptVpidCap : Register<EptVpidCap> {
    static constexpr Bits<0> execute_only{};
    static constexpr Bits<6> walk_4{};
    static constexpr Bits<7> walk_5{};
    static constexpr Bits<8> uncacheable{};
    static constexpr Bits<14> write_back{};
    static constexpr Bits<16> page_2m{};
    static constexpr Bits<17> page_1g{};
    static constexpr Bits<20> invept{};
    static constexpr Bits<21> access_dirty{};
    static constexpr Bits<22> advanced_information{};
    static constexpr Bits<23> supervisor_shadow_stack{};
    static constexpr Bits<53, 48> hlat_prefix_max{};
};

/// First 32 bits of a VMCS region. SDM "Format of the VMCS Region".
struct VmcsWord0 : Register<VmcsWord0> {
    static constexpr Bits<30, 0> revision{};
    static constexpr Bits<31> shadow{};
};

}  // namespace hyperstep::vmx
