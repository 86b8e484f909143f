#pragma once

#include <attn/io/json_node.hpp>
#include <attn/io/safetensors.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// The tensors of several safetensors files, as of one: a layer loads from it. Files are opened as
/// `load_safetensors` opens them. Errors: FileError if two files have an entry of one name.
class ShardedSafeTensors {
 public:
  explicit ShardedSafeTensors(const std::vector<std::filesystem::path>& paths) {
    for (const auto& path : paths) {
      files_.push_back(load_safetensors(path));
      for (const std::string& name : files_.back().names()) {
        if (!file_of_.emplace(name, files_.size() - 1).second)
          throw FileError("ShardedSafeTensors: \"" + path.string() + "\" has an entry " +
                          in_quotes(name) + ", which another of the files has too");
      }
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, file] : file_of_) result.push_back(name);
    return result;
  }
  bool contains(const std::string& name) const { return file_of_.contains(name); }
  const std::vector<Index>& shape(const std::string& name) const {
    return file_with(name).shape(name);
  }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    file_with(name).read(name, to);
  }
  template <class T>
  void check(const std::string& name) const {
    file_with(name).template check<T>(name);
  }

 private:
  const SafeTensors& file_with(const std::string& name) const {
    if (const auto at = file_of_.find(name); at != file_of_.end()) return files_[at->second];
    throw FileError("ShardedSafeTensors: there is no entry " + in_quotes(name) +
                    detail::suggestion(name, names()));
  }

  std::vector<SafeTensors> files_;
  std::map<std::string, std::size_t> file_of_;
};

static_assert(StateSource<ShardedSafeTensors, float> && StateSource<ShardedSafeTensors, double>);

/// The weights in a folder of Hugging Face: `model.safetensors`, or the files that
/// `model.safetensors.index.json` names. Errors: FileError, one sentence naming what is missing, or
/// is in another file than the index says.
inline ShardedSafeTensors load_safetensors_folder(const std::filesystem::path& folder) {
  const std::filesystem::path one = folder / "model.safetensors";
  if (std::filesystem::is_regular_file(one)) return ShardedSafeTensors({one});
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  const std::string where = "load_safetensors_folder: \"" + index.string() + "\"";
  if (!std::filesystem::is_regular_file(index))
    throw FileError("load_safetensors_folder: \"" + folder.string() +
                    "\" must have a file model.safetensors or model.safetensors.index.json");
  const MappedFile file(index, "load_safetensors_folder");
  const auto bytes = file.bytes();
  const nlohmann::json text =
      detail::parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where);
  std::map<std::string, std::filesystem::path> paths;
  for (const auto& [name, node] : detail::JsonNode(text, "", where)["weight_map"].members()) {
    const std::filesystem::path shard = node.text();
    if (shard != shard.filename() || shard.empty())
      node.fail("must be the name of a file in the same folder, not " + in_quotes(node.text()));
    paths.emplace(node.text(), folder / shard);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& [name, path] : paths) files.push_back(path);
  return ShardedSafeTensors(files);
}

}  // namespace ATTN_ABI
}  // namespace attn
