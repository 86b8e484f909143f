#pragma once

#include <attn/io/numbers.hpp>
#include <attn/io/safetensors_header.hpp>
#include <attn/io/safetensors_writer.hpp>
#include <map>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

/// Named tensors of a safetensors file [https://github.com/huggingface/safetensors], of any types,
/// whose numbers are read on demand from the mapped file. A layer loads from it:
/// `layer.load_state_dict(file)`. Copies share the file. Types: F64 F32 F16 BF16 I64 I32 I16 I8 U8
/// BOOL, each read as any C++ number that can hold its values, see `convert`.
/// Errors: FileError if there is no entry of that name or a value is lost by conversion, ShapeError
/// if the number of axes is another.
class SafeTensors {
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
  Dtype dtype(const std::string& name) const { return find(name).dtype; }

  /// `file.get<float, 2>("weight")`, converted to T.
  template <class T, int N>
  Tensor<T, N> get(const std::string& name) const {
    const std::vector<Index>& stored = shape(name);
    if (stored.size() != static_cast<std::size_t>(N))
      throw ShapeError(where(name) + " must have the number of axes that is asked for, " +
                       std::to_string(N) + ", but has the shape " + to_string(stored));
    Shape<N> shape;
    std::copy(stored.begin(), stored.end(), shape.begin());
    auto result = Tensor<T, N>::for_overwrite(shape);
    read(name, std::span<T>(result.data(), static_cast<std::size_t>(result.size())));
    return result;
  }

  /// All values in row-major order, whatever the shape: also of a scalar, which has no axes.
  template <class T>
    requires(!std::is_same_v<T, bool>)
  std::vector<T> values(const std::string& name) const {
    std::vector<T> result(static_cast<std::size_t>(checked_size(shape(name), sizeof(T))));
    read(name, std::span<T>(result));
    return result;
  }

  /// Fills a span, of as many values as the shape has. Where it throws, the span holds the values
  /// before the one that is lost.
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    const SafeTensorsEntry& entry = find(name);
    if (static_cast<Index>(to.size()) != checked_size(entry.shape))
      throw ShapeError(where(name) + " must be read into as many values as its shape " +
                       to_string(entry.shape) + " has, not " + std::to_string(to.size()));
    numbers(entry).read(to, where(name));
  }
  /// Throws where reading the whole entry as T would.
  template <class T>
  void check(const std::string& name) const {
    numbers(find(name)).template check<T>(where(name));
  }

 private:
  friend SafeTensors load_safetensors(const std::filesystem::path& path);

  struct Content {
    std::string path;
    MappedFile file;
    SafeTensorsHeader header;
    std::span<const std::byte> data;  // what follows the header
  };
  explicit SafeTensors(Content content)
      : content_(std::make_shared<const Content>(std::move(content))) {}

  std::string where(const std::string& name) const {
    return "SafeTensors: " + in_quotes(name) + " of \"" + content_->path + "\"";
  }
  FileNumbers numbers(const SafeTensorsEntry& entry) const {
    return {content_->file,
            content_->data.subspan(static_cast<std::size_t>(entry.begin),
                                   static_cast<std::size_t>(entry.end - entry.begin)),
            entry.dtype};
  }
  const SafeTensorsEntry& find(const std::string& name) const {
    if (const auto at = content_->header.entries.find(name); at != content_->header.entries.end())
      return at->second;
    const std::string meant = closest(name, names());
    throw FileError("SafeTensors: \"" + content_->path + "\" has no entry " + in_quotes(name) +
                    (meant.empty() ? "" : "; the closest is " + in_quotes(meant)));
  }

  std::shared_ptr<const Content> content_;
};

static_assert(StateSource<SafeTensors, float> && StateSource<SafeTensors, double>);

/// Refuses what torch.save writes with the line that makes a safetensors file of it. (The length at
/// the start of a safetensors file may be the same bytes, but is followed by a brace.) Errors:
/// FileError, a sentence that begins with `where`.
inline void refuse_pickle(std::string_view bytes, const std::filesystem::path& path,
                          const std::string& where) {
  const bool zip = bytes.starts_with("PK\3\4"), bare = bytes.size() > 2 && bytes[0] == '\x80' &&
                                                       bytes[1] >= 2 && bytes[1] <= 5 &&
                                                       bytes[2] != 0;
  if (!(zip || bare) || (bytes.size() > 8 && bytes[8] == '{')) return;
  const auto quoted = [](std::string text) {  // for a shell
    for (std::size_t at = 0; (at = text.find('\'', at)) != text.npos; at += 4)
      text.replace(at, 1, "'\\''");
    return "'" + text + "'";
  };
  auto converted = path;
  converted.replace_extension(path.extension() == ".safetensors" ? ".converted.safetensors"
                                                                 : ".safetensors");
  throw FileError(where + ": the file is a pickle" + (zip ? " in a zip" : "") +
                  ", which is a program and is not run; what torch.save wrote is converted by: " +
                  "python3 -c \"import sys, torch; from safetensors.torch import save_file; "
                  "save_file({k: v.contiguous().clone() for k, v in " +
                  "torch.load(sys.argv[1], 'cpu', weights_only=True).items()}, sys.argv[2])\" " +
                  quoted(path.string()) + " " + quoted(converted.string()));
}

/// Opens a safetensors file and checks everything that the format demands: 8 bytes of length, a
/// header of at most 100,000,000 bytes of strict JSON without a key twice, known types, and data
/// that the entries fill without holes or overlaps to the end. (The reference implementation passes
/// over an unknown key of an entry and takes null for metadata; here both are refused.)
/// Cost: the header's; the data are mapped, not read, where the system can. Errors: FileError, one
/// sentence, naming file and entry.
inline SafeTensors load_safetensors(const std::filesystem::path& path) {
  const std::string where = "load_safetensors: \"" + path.string() + "\"";
  MappedFile file(path, "load_safetensors");
  const std::span<const std::byte> bytes = file.bytes();
  refuse_pickle({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, where);
  constexpr std::size_t prefix = sizeof(std::uint64_t);
  if (bytes.size() < prefix)
    throw FileError(where + ": the file has " + std::to_string(bytes.size()) +
                    " bytes and must have at least 8");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), prefix);
  if (length > SafeTensorsHeader::longest)
    throw FileError(where + ": the header's length " + std::to_string(length) +
                    " must be at most " + std::to_string(SafeTensorsHeader::longest));
  if (length > bytes.size() - prefix)
    throw FileError(where + ": the header's length " + std::to_string(length) +
                    " must be at most the " + std::to_string(bytes.size() - prefix) +
                    " bytes after it");
  const auto header = bytes.subspan(prefix, static_cast<std::size_t>(length));
  const auto data = bytes.subspan(prefix + header.size());
  SafeTensorsHeader entries = SafeTensorsHeaderReader(where).read(
      {reinterpret_cast<const char*>(header.data()), header.size()});
  check_offsets(entries, data.size(), where);
  return SafeTensors({path.string(), std::move(file), std::move(entries), data});
}

}  // namespace ATTN_ABI
}  // namespace attn
