#pragma once

#include <attn/io/file_values.hpp>
#include <attn/io/pickle.hpp>
#include <attn/io/safetensors_header.hpp>
#include <attn/io/safetensors_writer.hpp>
#include <attn/io/tensor_file.hpp>
#include <map>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

/// Named tensors of a safetensors file [https://github.com/huggingface/safetensors], of any types,
/// whose values are read on demand from the mapped file. A layer loads from it:
/// `layer.load_state_dict(file)`. Copies share the file. Types: F64 F32 F16 BF16 I64 I32 I16 I8 U64
/// U32 U16 U8 BOOL, each read as any C++ type that can hold its values, see `detail::convert`. A
/// file may hold other types as well, such as F8_E4M3: such an entry has a name, a `dtype_name` and
/// a shape, but is refused where its values or its `dtype` are asked for.
/// Errors: FileError if there is no entry of that name, its type cannot be read or a value is lost
/// by conversion; ShapeError if the number of axes is another.
class SafeTensors : public TensorFile<SafeTensors> {
 public:
  const std::map<std::string, std::string>& metadata() const { return content_->header.metadata; }
  /// The tensors' names, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, entry] : content_->header.entries) result.push_back(name);
    return result;
  }
  bool contains(const std::string& name) const { return content_->header.entries.contains(name); }
  const std::vector<Index>& shape(const std::string& name) const { return find(name).shape; }
  /// The type as the file spells it, also where it cannot be read.
  const std::string& dtype_name(const std::string& name) const { return find(name).dtype; }
  Dtype dtype(const std::string& name) const {
    const std::string& stored = dtype_name(name);
    if (const std::optional<Dtype> dtype = detail::dtype_named(stored)) return *dtype;
    throw FileError(where(name) + " has the dtype " + in_quotes(stored) +
                    ", which is not supported; these are: " + detail::supported_dtypes());
  }
  /// The tensor as it lies in the file: little-endian values in row-major order. They live as long
  /// as the file or a copy of it.
  std::span<const std::byte> bytes(const std::string& name) const {
    const detail::SafeTensorsEntry& entry = find(name);
    return content_->data.subspan(static_cast<std::size_t>(entry.begin),
                                  static_cast<std::size_t>(entry.end - entry.begin));
  }
  /// Returns the memory of some of these bytes to the system, where the file is mapped. They are
  /// read from the file again when they are needed.
  void release(std::span<const std::byte> part) const { content_->file.release(part); }

 private:
  friend TensorFile<SafeTensors>;
  friend SafeTensors load_safetensors(const std::filesystem::path& path);

  struct Content {
    std::string path;
    MappedFile file;
    detail::SafeTensorsHeader header;
    std::span<const std::byte> data;  // what follows the header
  };
  explicit SafeTensors(Content content)
      : content_(std::make_shared<const Content>(std::move(content))) {}

  std::string where(const std::string& name) const {
    return "SafeTensors: " + in_quotes(name) + " of \"" + content_->path + "\"";
  }
  detail::FileValues values_of(const std::string& name) const {
    return {content_->file, bytes(name), dtype(name)};
  }
  const detail::SafeTensorsEntry& find(const std::string& name) const {
    if (const auto at = content_->header.entries.find(name); at != content_->header.entries.end())
      return at->second;
    throw FileError("SafeTensors: \"" + content_->path + "\" has no entry " + in_quotes(name) +
                    detail::suggestion(name, names()));
  }

  std::shared_ptr<const Content> content_;
};

static_assert(StateSource<SafeTensors, float> && StateSource<SafeTensors, double>);

/// Opens a safetensors file and checks everything that the format demands: 8 bytes of length, a
/// header of at most 100,000,000 bytes of strict JSON without a key twice, and data that the
/// entries fill without holes or overlaps to the end, each with the bytes of its shape in its
/// dtype. (The reference implementation passes over an unknown key of an entry and takes null for
/// metadata; here both are refused.)
/// A dtype that the library does not compute with refuses nothing but its own entry. One that the
/// format did not have when this was written, of unknown size, must be a name of capital letters,
/// digits and _; its offsets are checked, the number of its bytes is not.
/// Cost: the header's; the data are mapped, not read, where the system can. Errors: FileError, one
/// sentence, naming file and entry.
inline SafeTensors load_safetensors(const std::filesystem::path& path) {
  const std::string where = "load_safetensors: \"" + path.string() + "\"";
  MappedFile file(path, "load_safetensors");
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view text = detail::text_of(bytes);
  detail::refuse_pickle(text, path, where);
  constexpr std::size_t prefix = sizeof(std::uint64_t);
  if (bytes.size() < prefix)
    throw FileError(where + ": the file has " + std::to_string(bytes.size()) +
                    " bytes and must have at least 8");
  const std::uint64_t length = detail::from_little_endian(bytes.first(prefix));
  constexpr std::size_t max_length = detail::SafeTensorsHeader::max_size;
  if (length > max_length)
    throw FileError(where + ": the header's length " + std::to_string(length) +
                    " must be at most " + std::to_string(max_length));
  if (length > bytes.size() - prefix)
    throw FileError(where + ": the header's length " + std::to_string(length) +
                    " must be at most the " + std::to_string(bytes.size() - prefix) +
                    " bytes after it");
  const auto header_size = static_cast<std::size_t>(length);
  detail::SafeTensorsHeader header =
      detail::SafeTensorsHeaderReader(where).read(text.substr(prefix, header_size));
  const auto data = bytes.subspan(prefix + header_size);
  detail::check_offsets(header, data.size(), where);
  return SafeTensors({path.string(), std::move(file), std::move(header), data});
}

}  // namespace ATTN_ABI
}  // namespace attn
