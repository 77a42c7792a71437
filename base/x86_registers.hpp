#pragma once
#include <cstdint>

#include "base/bits.hpp"

// Bit layouts of x86 registers that the processor and the VM-entry checks share, named as the manual names
// them.
namespace hyperstep::x86 {

/// SDM "Control Registers".
struct Cr0 : Register<Cr0> {
    static constexpr Bits<0> pe{};
    static constexpr Bits<1> mp{};
    static constexpr Bits<2> em{};
    static constexpr Bits<3> ts{};
    static constexpr Bits<4> et{};
    static constexpr Bits<5> ne{};
    static constexpr Bits<16> wp{};
    static constexpr Bits<18> am{};
    static constexpr Bits<29> nw{};
    static constexpr Bits<30> cd{};
    static constexpr Bits<31> pg{};
};

struct Cr4 : Register<Cr4> {
    static constexpr Bits<0> vme{};
    static constexpr Bits<1> pvi{};
    static constexpr Bits<2> tsd{};
    static constexpr Bits<3> de{};
    static constexpr Bits<4> pse{};
    static constexpr Bits<5> pae{};
    static constexpr Bits<6> mce{};
    static constexpr Bits<7> pge{};
    static constexpr Bits<8> pce{};
    static constexpr Bits<9> osfxsr{};
    static constexpr Bits<10> osxmmexcpt{};
    static constexpr Bits<11> umip{};
    static constexpr Bits<12> la57{};
    static constexpr Bits<13> vmxe{};
    static constexpr Bits<14> smxe{};
    static constexpr Bits<16> fsgsbase{};
    static constexpr Bits<17> pcide{};
    static constexpr Bits<18> osxsave{};
    static constexpr Bits<19> kl{};
    static constexpr Bits<20> smep{};
    static constexpr Bits<21> smap{};
    static constexpr Bits<22> pke{};
    static constexpr Bits<23> cet{};
    static constexpr Bits<24> pks{};
    static constexpr Bits<25> uintr{};
    static constexpr Bits<27> lass{};
    static constexpr Bits<28> lam_sup{};
    static constexpr Bits<32> fred{};
};

/// SDM "IA32_EFER".
struct Efer : Register<Efer> {
    static constexpr Bits<0> sce{};
    static constexpr Bits<8> lme{};
    static constexpr Bits<10> lma{};
    static constexpr Bits<11> nxe{};
};

/// SDM "EFLAGS Register".
struct Rflags : Register<Rflags> {
    static constexpr Bits<0> cf{};
    static constexpr Bits<1> always_1{};
    static constexpr Bits<2> pf{};
    static constexpr Bits<4> af{};
    static constexpr Bits<6> zf{};
    static constexpr Bits<7> sf{};
    static constexpr Bits<8> tf{};
    static constexpr Bits<9> if_{};
    static constexpr Bits<10> df{};
    static constexpr Bits<11> of{};
    static constexpr Bits<13, 12> iopl{};
    static constexpr Bits<14> nt{};
    static constexpr Bits<16> rf{};
    static constexpr Bits<17> vm{};
    static constexpr Bits<18> ac{};
    static constexpr Bits<19> vif{};
    static constexpr Bits<20> vip{};
    static constexpr Bits<21> id{};
};

struct Selector : Register<Selector> {
    static constexpr Bits<1, 0> rpl{};
    static constexpr Bits<2> ti{};
    static constexpr Bits<15, 3> index{};
};

/// SDM "Guest Register State", "Format of Access Rights".
struct AccessRights : Register<AccessRights> {
    static constexpr Bits<3, 0> type{};
    // The bits of the type of a code or data segment.
    static constexpr Bits<0> accessed{};
    static constexpr Bits<1> writable{};  ///< readable, of code
    static constexpr Bits<3> code{};
    static constexpr Bits<4> s{};
    static constexpr Bits<6, 5> dpl{};
    static constexpr Bits<7> p{};
    static constexpr Bits<11, 8> reserved_low{};
    static constexpr Bits<12> avl{};
    static constexpr Bits<13> l{};
    static constexpr Bits<14> db{};
    static constexpr Bits<15> g{};
    static constexpr Bits<16> unusable{};
    static constexpr Bits<31, 17> reserved_high{};
};

}  // namespace hyperstep::x86
