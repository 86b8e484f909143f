#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <attn/core/config.hpp>

// Sean Barrett's public-domain headers, in a namespace of their own: a program may include them
// too, before or after this file, with or without their implementation, as a whole or in other
// translation units, and nothing meets. What the program defined for them is put aside here and put
// back at the end. Their warnings are nobody's business.
#pragma GCC system_header

#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_STATIC")
#pragma push_macro("STBI_WRITE_NO_STDIO")
#pragma push_macro("STBIWDEF")
#pragma push_macro("STBIW_ASSERT")
#pragma push_macro("STBIW_MALLOC")
#pragma push_macro("STBIW_REALLOC")
#pragma push_macro("STBIW_REALLOC_SIZED")
#pragma push_macro("STBIW_FREE")
#pragma push_macro("STBIW_MEMMOVE")
#pragma push_macro("STBIW_ZLIB_COMPRESS")
#pragma push_macro("STBIW_CRC32")
#pragma push_macro("__STB_INCLUDE_STB_TRUETYPE_H__")
#pragma push_macro("STB_TRUETYPE_IMPLEMENTATION")
#pragma push_macro("STBTT_STATIC")
#pragma push_macro("STBTT_DEF")
#pragma push_macro("STBTT_RASTERIZER_VERSION")
#pragma push_macro("STBTT_assert")
#pragma push_macro("STBTT_malloc")
#pragma push_macro("STBTT_free")
#pragma push_macro("STB_RECT_PACK_VERSION")
#pragma push_macro("INCLUDE_STB_EASY_FONT_H")

#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBI_WRITE_NO_STDIO
#undef STBIWDEF
#undef STBIW_ASSERT
#undef STBIW_MALLOC
#undef STBIW_REALLOC
#undef STBIW_REALLOC_SIZED
#undef STBIW_FREE
#undef STBIW_MEMMOVE
#undef STBIW_ZLIB_COMPRESS
#undef STBIW_CRC32
#undef __STB_INCLUDE_STB_TRUETYPE_H__
#undef STB_TRUETYPE_IMPLEMENTATION
#undef STBTT_STATIC
#undef STBTT_DEF
#undef STBTT_RASTERIZER_VERSION
#undef STBTT_assert
#undef STBTT_malloc
#undef STBTT_free
#undef STB_RECT_PACK_VERSION
#undef INCLUDE_STB_EASY_FONT_H

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(condition) ((void)0)
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#define STBTT_assert(condition) ((void)0)

// Their functions are extern "C" where __cplusplus is known, which no namespace holds apart.
#pragma push_macro("__cplusplus")
#undef __cplusplus

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace stb {

#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_easy_font.h>
#include <stb/stb_image_write.h>
#include <stb/stb_truetype.h>
#else
#include <stb_easy_font.h>
#include <stb_image_write.h>
#include <stb_truetype.h>
#endif

}  // namespace stb
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn

#pragma pop_macro("__cplusplus")

#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("STB_IMAGE_WRITE_STATIC")
#pragma pop_macro("STBI_WRITE_NO_STDIO")
#pragma pop_macro("STBIWDEF")
#pragma pop_macro("STBIW_ASSERT")
#pragma pop_macro("STBIW_MALLOC")
#pragma pop_macro("STBIW_REALLOC")
#pragma pop_macro("STBIW_REALLOC_SIZED")
#pragma pop_macro("STBIW_FREE")
#pragma pop_macro("STBIW_MEMMOVE")
#pragma pop_macro("STBIW_ZLIB_COMPRESS")
#pragma pop_macro("STBIW_CRC32")
#pragma pop_macro("__STB_INCLUDE_STB_TRUETYPE_H__")
#pragma pop_macro("STB_TRUETYPE_IMPLEMENTATION")
#pragma pop_macro("STBTT_STATIC")
#pragma pop_macro("STBTT_DEF")
#pragma pop_macro("STBTT_RASTERIZER_VERSION")
#pragma pop_macro("STBTT_assert")
#pragma pop_macro("STBTT_malloc")
#pragma pop_macro("STBTT_free")
#pragma pop_macro("STB_RECT_PACK_VERSION")
#pragma pop_macro("INCLUDE_STB_EASY_FONT_H")
