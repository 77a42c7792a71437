#pragma once
// Made by checksums.py: what each benchmark guest must find.

namespace expected {
constexpr unsigned long long integer = 0x832089b2391f0c44;
constexpr unsigned long long calls = 0x50f4be823bde092c;
constexpr unsigned long long chase = 0xc9cfe5c40df24940;
constexpr unsigned long long strings = 0x6a0e9df281f797b6;
constexpr unsigned long long spaces = 0x34713c167d7f65b1;
constexpr unsigned long long selfmod = 0xc70babbdee3cfcc2;
constexpr unsigned long long sse = 0xa37c617fc3c3e398;
constexpr unsigned long long syscalls = 0xb16fb28af95125de;
constexpr unsigned long long interrupts = 0x0913ad4279510f01;
}  // namespace expected
