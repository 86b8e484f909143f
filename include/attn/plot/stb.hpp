#pragma once

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <attn/core/config.hpp>

// Sean Barrett's public-domain headers, in a namespace of this library. A program may include them
// too, before this file or after it, with their implementation or without, and the two copies stay
// apart. The macros that say whether a header is implemented, and how, are saved here and restored
// at the end; other settings of the program, such as STBIW_MALLOC, are left as they are.
#pragma GCC system_header

#pragma push_macro("INCLUDE_STB_EASY_FONT_H")
#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_STATIC")
#pragma push_macro("STBI_WRITE_NO_STDIO")
#pragma push_macro("STBIWDEF")
#pragma push_macro("__STB_INCLUDE_STB_TRUETYPE_H__")
#pragma push_macro("STB_TRUETYPE_IMPLEMENTATION")
#pragma push_macro("STBTT_DEF")
#pragma push_macro("STBTT_assert")
#undef INCLUDE_STB_EASY_FONT_H
#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBI_WRITE_NO_STDIO
#undef STBIWDEF
#undef __STB_INCLUDE_STB_TRUETYPE_H__
#undef STB_TRUETYPE_IMPLEMENTATION
#undef STBTT_DEF
#undef STBTT_assert

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO

// stb_truetype declares its functions extern "C", which no namespace keeps apart. So its
// declarations are left out, and those that its implementation needs stand here.
#define __STB_INCLUDE_STB_TRUETYPE_H__
#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_DEF static
#define STBTT_assert(condition) ((void)0)

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {
namespace stb {

struct stbtt__buf {
  unsigned char* data;
  int cursor, size;
};
struct stbtt_fontinfo {
  void* userdata;
  unsigned char* data;
  int fontstart, numGlyphs;
  int loca, head, glyf, hhea, hmtx, kern, gpos, svg;
  int index_map, indexToLocFormat;
  stbtt__buf cff, charstrings, gsubrs, subrs, fontdicts, fdselect;
};
struct stbtt_kerningentry {
  int glyph1, glyph2, advance;
};
struct stbtt_vertex {
  short x, y, cx, cy, cx1, cy1;
  unsigned char type, padding;
};
#ifndef stbtt_vertex_type
using stbtt_vertex_type = short;
#endif
struct stbtt__bitmap {
  int w, h, stride;
  unsigned char* pixels;
};
struct stbtt_bakedchar {
  unsigned short x0, y0, x1, y1;
  float xoff, yoff, xadvance;
};
struct stbtt_packedchar {
  unsigned short x0, y0, x1, y1;
  float xoff, yoff, xadvance, xoff2, yoff2;
};
struct stbtt_aligned_quad {
  float x0, y0, s0, t0, x1, y1, s1, t1;
};
struct stbtt_pack_range {
  float font_size;
  int first_unicode_codepoint_in_range;
  int* array_of_unicode_codepoints;
  int num_chars;
  stbtt_packedchar* chardata_for_range;
  unsigned char h_oversample, v_oversample;
};
struct stbtt_pack_context {
  void *user_allocator_context, *pack_info;
  int width, height, stride_in_bytes, padding, skip_missing;
  unsigned int h_oversample, v_oversample;
  unsigned char* pixels;
  void* nodes;
};
enum { STBTT_vmove = 1, STBTT_vline, STBTT_vcurve, STBTT_vcubic };
enum { STBTT_PLATFORM_ID_UNICODE = 0, STBTT_PLATFORM_ID_MICROSOFT = 3 };
enum { STBTT_MS_EID_UNICODE_BMP = 1, STBTT_MS_EID_UNICODE_FULL = 10 };

static int stbtt_InitFont(stbtt_fontinfo*, const unsigned char*, int);
static int stbtt_GetFontOffsetForIndex(const unsigned char*, int);
static int stbtt_GetGlyphShape(const stbtt_fontinfo*, int, stbtt_vertex**);
static void stbtt_MakeGlyphBitmapSubpixelPrefilter(const stbtt_fontinfo*, unsigned char*, int, int,
                                                   int, float, float, float, float, int, int,
                                                   float*, float*, int);
static void stbtt_Rasterize(stbtt__bitmap*, float, stbtt_vertex*, int, float, float, float, float,
                            int, int, int, void*);

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
}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn

#pragma pop_macro("INCLUDE_STB_EASY_FONT_H")
#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("STB_IMAGE_WRITE_STATIC")
#pragma pop_macro("STBI_WRITE_NO_STDIO")
#pragma pop_macro("STBIWDEF")
#pragma pop_macro("__STB_INCLUDE_STB_TRUETYPE_H__")
#pragma pop_macro("STB_TRUETYPE_IMPLEMENTATION")
#pragma pop_macro("STBTT_DEF")
#pragma pop_macro("STBTT_assert")
