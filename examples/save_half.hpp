#pragma once

#include <attn/io/safetensors.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// Saves the parameters of a model in float16, as safetensors.
/// Errors: FileError if the path cannot be written.
template <class Model>
void save_half(const Model& model, const std::filesystem::path& path,
               const std::map<std::string, std::string>& metadata = {}) {
  attn::SafeTensorsWriter writer;
  std::vector<std::vector<Eigen::half>> kept;
  for (const auto& parameter : model.parameters()) {
    kept.emplace_back(parameter.value.begin(), parameter.value.end());
    writer.add(parameter.name, parameter.shape, std::span<const Eigen::half>(kept.back()));
  }
  writer.save(path, metadata, "save_half");
}
