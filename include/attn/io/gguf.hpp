#pragma once

#include <attn/core/state_source.hpp>
#include <attn/core/tensor.hpp>
#include <attn/io/gguf_header.hpp>
#include <attn/io/gguf_metadata.hpp>
#include <attn/io/gguf_values.hpp>
#include <attn/io/pickle.hpp>
#include <attn/io/tensor_file.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Named tensors and metadata of a GGUF file
/// [https://github.com/ggml-org/ggml/blob/master/docs/gguf.md], which are read on demand from the
/// mapped file. A layer loads from it: `layer.load_state_dict(file)`. Copies share the file.
///
/// Tensor types: F32 F16 BF16 F64 I8 I16 I32 I64, each read as any C++ type that can hold its
/// values, see `detail::convert`; Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K, whose values
/// are those that ggml computes in float, see `detail::Q4_0`. A file may hold other types as well,
/// such as IQ2_XS: such a tensor has a name, a `dtype_name` and a shape, but is refused where its
/// values are asked for. A shape is in row-major order, as in PyTorch; the file has it reversed.
///
/// Metadata are read by `file.metadata<T>(key)`. T is an integer type, where the file has an
/// integer that it can hold; float or double, where it has a number; bool; std::string; or, for an
/// array, a std::vector of these. A std::string_view, or a vector of them, is not copied from the
/// file and lives as long as the file or a copy of it. Strings are given as they are in the file,
/// which may not be UTF-8.
///
/// Errors: FileError if there is no tensor or key of that name, its type is another or cannot be
/// read, or a value is lost by conversion; ShapeError if the number of axes is another.
class Gguf : public TensorFile<Gguf> {
 public:
  /// The keys of the metadata, sorted.
  std::vector<std::string> metadata_keys() const { return keys(content_->header.metadata); }
  bool contains_metadata(const std::string& key) const {
    return content_->header.metadata.contains(key);
  }
  /// "U32", "STRING", or "F32[3]" of an array.
  std::string metadata_type(const std::string& key) const { return find_metadata(key).type(); }
  /// `file.metadata<std::vector<std::string>>("tokenizer.ggml.tokens")`.
  template <GgufMetadata T>
  T metadata(const std::string& key) const {
    return detail::gguf_value_as<T>(
        find_metadata(key), "Gguf: metadata " + in_quotes(key) + " of \"" + content_->path + "\"");
  }

  /// The tensors' names, sorted.
  std::vector<std::string> names() const { return keys(content_->header.tensors); }
  bool contains(const std::string& name) const { return content_->header.tensors.contains(name); }
  const std::vector<Index>& shape(const std::string& name) const { return find(name).shape; }
  /// The type as ggml spells it, "Q4_K", also where it cannot be read; "type 77" where it is not
  /// known.
  std::string dtype_name(const std::string& name) const { return find(name).type_name(); }
  /// The tensor as it lies in the file: rows of blocks, one after the other. They live as long as
  /// the file or a copy of it.
  std::span<const std::byte> bytes(const std::string& name) const {
    const detail::GgufTensor& tensor = find(name);
    if (tensor.type) return content_->bytes_of(tensor);
    throw FileError(where(name) + " has the " + tensor.type_name() + ", whose size is not known");
  }
  /// Returns the memory of some of these bytes to the system, where the file is mapped. They are
  /// read from the file again when they are needed.
  void release(std::span<const std::byte> part) const { content_->file.release(part); }

 private:
  friend TensorFile<Gguf>;
  friend Gguf load_gguf(const std::filesystem::path& path);

  struct Content {
    std::string path;
    MappedFile file;
    detail::GgufHeader header;

    std::span<const std::byte> bytes_of(const detail::GgufTensor& tensor) const {
      return header.data.subspan(static_cast<std::size_t>(tensor.offset), tensor.size);
    }
  };
  explicit Gguf(Content content) : content_(std::make_shared<const Content>(std::move(content))) {}

  template <class Map>
  static std::vector<std::string> keys(const Map& map) {
    std::vector<std::string> result;
    for (const auto& [key, value] : map) result.emplace_back(key);
    return result;
  }
  std::string where(const std::string& name) const {
    return "Gguf: " + in_quotes(name) + " of \"" + content_->path + "\"";
  }
  detail::GgufTensorValues values_of(const std::string& name) const {
    const detail::GgufTensor& tensor = find(name);
    if (tensor.type && detail::is_readable_gguf_type(*tensor.type))
      return {content_->file, content_->bytes_of(tensor), *tensor.type};
    throw FileError(where(name) + " has the dtype " + in_quotes(tensor.type_name()) +
                    ", which is not supported; these are: " + detail::readable_gguf_types());
  }
  const detail::GgufTensor& find(const std::string& name) const {
    const auto& tensors = content_->header.tensors;
    if (const auto at = tensors.find(name); at != tensors.end()) return at->second;
    throw FileError("Gguf: \"" + content_->path + "\" has no tensor " + in_quotes(name) +
                    detail::suggestion(name, names()));
  }
  const detail::GgufValue& find_metadata(const std::string& key) const {
    const auto& metadata = content_->header.metadata;
    if (const auto at = metadata.find(key); at != metadata.end()) return at->second;
    throw FileError("Gguf: \"" + content_->path + "\" has no metadata " + in_quotes(key) +
                    detail::suggestion(key, metadata_keys()));
  }

  std::shared_ptr<const Content> content_;
};

static_assert(StateSource<Gguf, float> && StateSource<Gguf, double>);

/// Opens a GGUF file of version 2 or 3, little-endian, and checks everything that the format
/// demands: every count, length, type, key, name and offset; data that the tensors fill without
/// holes or overlaps, but for the padding to the alignment. Refused are version 1, big-endian
/// files and arrays of arrays. The order of the data is free.
/// A type that the library does not compute with refuses nothing but its own tensor. Of one that is
/// not known, the offset is checked and the number of bytes is not.
/// Cost: the header's; metadata and data are mapped, not copied, where the system can. Errors:
/// FileError, one sentence, naming file and entry.
inline Gguf load_gguf(const std::filesystem::path& path) {
  const std::string where = "load_gguf: \"" + path.string() + "\"";
  MappedFile file(path, "load_gguf");
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view text = detail::text_of(bytes);
  detail::refuse_pickle(text, path, where);
  if (!text.starts_with("GGUF") && text.size() > 8 && text[8] == '{')
    throw FileError(where + ": the file is a safetensors file, which load_safetensors opens");
  detail::GgufHeader header = detail::read_gguf_header(bytes, where);
  return Gguf({path.string(), std::move(file), std::move(header)});
}

}  // namespace ATTN_ABI
}  // namespace attn
