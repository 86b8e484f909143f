#pragma once

#include <attn/io/json_node.hpp>
#include <attn/io/safetensors.hpp>
#include <set>

namespace attn {
inline namespace ATTN_ABI {

/// The tensors of several safetensors files, as of one: a layer loads from it. Files are opened as
/// `load_safetensors` opens them. Errors: FileError if two files have an entry of one name.
class ShardedSafeTensors {
 public:
  explicit ShardedSafeTensors(std::vector<std::filesystem::path> paths) : paths_(std::move(paths)) {
    for (const auto& path : paths_) {
      files_.push_back(load_safetensors(path));
      for (const std::string& name : files_.back().names()) {
        const auto [at, is_new] = file_of_.emplace(name, files_.size() - 1);
        if (!is_new)
          throw FileError("ShardedSafeTensors: \"" + path.string() + "\" has an entry " +
                          in_quotes(name) + ", which \"" + paths_[at->second].string() +
                          "\" has too");
      }
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, file] : file_of_) result.push_back(name);
    return result;
  }
  bool contains(const std::string& name) const { return file_of_.contains(name); }
  /// The file that has an entry.
  const std::filesystem::path& path(const std::string& name) const { return paths_[at(name)]; }
  const std::vector<Index>& shape(const std::string& name) const {
    return files_[at(name)].shape(name);
  }
  /// The file that has an entry, opened.
  const SafeTensors& file(const std::string& name) const { return files_[at(name)]; }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    files_[at(name)].read(name, to);
  }
  template <class T>
  void check(const std::string& name) const {
    files_[at(name)].template check<T>(name);
  }

 private:
  /// The index of the file that has an entry.
  std::size_t at(const std::string& name) const {
    if (const auto found = file_of_.find(name); found != file_of_.end()) return found->second;
    throw FileError("ShardedSafeTensors: there is no entry " + in_quotes(name) +
                    detail::suggestion(name, names()));
  }

  std::vector<std::filesystem::path> paths_;
  std::vector<SafeTensors> files_;
  std::map<std::string, std::size_t> file_of_;
};

static_assert(StateSource<ShardedSafeTensors, float> && StateSource<ShardedSafeTensors, double>);

namespace detail {

/// The safetensors files that an index names, each once, and the check that every tensor is where
/// the index says.
inline ShardedSafeTensors load_indexed_safetensors(const std::filesystem::path& folder,
                                                   const std::filesystem::path& index) {
  const std::string where = "load_safetensors_folder: \"" + index.string() + "\"";
  const nlohmann::json text = read_json(index, "load_safetensors_folder");
  const auto map = JsonNode(text, "", where)["weight_map"].members();
  std::set<std::filesystem::path> files;
  for (const auto& [name, node] : map) {
    const std::filesystem::path file = node.text();
    if (file != file.filename() || file.empty())
      node.fail("must be the name of a file in the same folder, not " + in_quotes(node.text()));
    files.insert(folder / file);
  }
  const ShardedSafeTensors weights({files.begin(), files.end()});
  for (const auto& [name, node] : map)
    if (!weights.contains(name) || weights.path(name) != folder / node.text())
      node.fail("names the file " + in_quotes(node.text()) + ", which has no such tensor");
  return weights;
}

}  // namespace detail

/// The weights in a folder of Hugging Face: `model.safetensors`, or the files that
/// `model.safetensors.index.json` names. Errors: FileError, one sentence naming what is missing, or
/// is in another file than the index says.
inline ShardedSafeTensors load_safetensors_folder(const std::filesystem::path& folder) {
  const std::filesystem::path one = folder / "model.safetensors";
  if (std::filesystem::exists(one)) return ShardedSafeTensors({one});
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (std::filesystem::exists(index)) return detail::load_indexed_safetensors(folder, index);
  throw FileError("load_safetensors_folder: the folder \"" + folder.string() +
                  "\" must have a file model.safetensors or model.safetensors.index.json");
}

}  // namespace ATTN_ABI
}  // namespace attn
