#pragma once

#include <algorithm>
#include <attn/attn.hpp>
#include <attn/io/name_map.hpp>
#include <attn/io/safetensors.hpp>
#include <filesystem>
#include <vector>

/// The sizes of a BERT, with the names of Hugging Face's config.json and the defaults of
/// all-MiniLM-L6-v2.
struct BertOptions {
  attn::Index vocab_size = 30522, max_position_embeddings = 512, type_vocab_size = 2;
  attn::Index hidden_size = 384, num_hidden_layers = 6, num_attention_heads = 12;
  attn::Index intermediate_size = 1536;
};

/// Sentences as ids of word pieces: (B, L) and the B lengths. The ids after the end of a sentence
/// are 0, and no token attends to them.
struct TokenBatch {
  attn::Tensor<attn::Index, 2> ids;
  std::vector<attn::Index> lengths;

  explicit TokenBatch(const std::vector<std::vector<attn::Index>>& sentences) {
    for (const auto& sentence : sentences)
      lengths.push_back(static_cast<attn::Index>(sentence.size()));
    const attn::Index longest =
        lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
    ids = attn::Tensor<attn::Index, 2>({static_cast<attn::Index>(lengths.size()), longest});
    for (std::size_t b = 0; b < sentences.size(); ++b)
      std::copy(sentences[b].begin(), sentences[b].end(),
                ids.data() + static_cast<attn::Index>(b) * longest);
  }
  attn::Padding padding() const { return attn::Padding{lengths}; }
};

/// BERT: x = LayerNorm(word + position + type), then encoder layers with GELU and a LayerNorm after
/// each residual connection   [Devlin19 §3]
/// The parameters have the names of Hugging Face's `BertModel`, except that those of the encoder
/// have the names of PyTorch's `TransformerEncoder`: see load_bert.
class Bert : public attn::Module<Bert, float> {
 public:
  static constexpr const char* kind = "Bert";
  attn::Embedding<float> words, types;
  attn::LearnedPosition<float> positions;
  attn::LayerNorm<float> norm;
  attn::TransformerEncoder<float> encoder;

  explicit Bert(const BertOptions& o = {})
      : words({.num_embeddings = o.vocab_size, .embedding_dim = o.hidden_size, .scale = 1}),
        types({.num_embeddings = o.type_vocab_size, .embedding_dim = o.hidden_size, .scale = 1}),
        positions({.max_length = o.max_position_embeddings, .d_model = o.hidden_size}),
        norm({.normalized_shape = o.hidden_size, .eps = 1e-12}),
        encoder({.layer = {.d_model = o.hidden_size,
                           .nhead = o.num_attention_heads,
                           .dim_feedforward = o.intermediate_size,
                           .activation = attn::Activation::gelu,
                           .layer_norm_eps = 1e-12},
                 .num_layers = o.num_hidden_layers}) {}

  /// (B, L, D): the output of the last layer for each token.
  attn::Tensor<float, 3> operator()(const TokenBatch& batch) const {
    return encoder(embedded(batch.ids), batch.padding());
  }

  /// (B, H, L, L): the attention weights of one layer, counted from 0.
  attn::Tensor<float, 4> weights(const TokenBatch& batch, std::size_t layer) const {
    const attn::Padding padding = batch.padding();
    attn::Tensor<float, 3> x = embedded(batch.ids);
    for (std::size_t i = 0; i < layer; ++i) x = encoder.layers[i](x, padding);
    return encoder.layers[layer].self_attn.with_weights(x, x, x, padding).weights;
  }

  /// (B, D): for each sentence the mean of its tokens, scaled to norm 1, so that the dot product of
  /// two sentences is the cosine of their angle   [Reimers19 §3]
  attn::Tensor<float, 2> sentences(const TokenBatch& batch) const {
    const attn::Tensor<float, 3> tokens = (*this)(batch);
    attn::Tensor<float, 2> mean({tokens.shape()[0], tokens.shape()[2]});
    for (attn::Index b = 0; b < mean.shape()[0]; ++b)
      mean.matrix().row(b) = tokens.matrix(b)
                                 .topRows(batch.lengths[static_cast<std::size_t>(b)])
                                 .colwise()
                                 .sum()
                                 .normalized();
    return mean;
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("embeddings.word_embeddings", self.words);
    visitor("embeddings.position_embeddings", self.positions);
    visitor("embeddings.token_type_embeddings", self.types);
    visitor("embeddings.LayerNorm", self.norm);
    visitor("encoder", self.encoder);
  }

 private:
  /// The input of the encoder. All tokens have type 0, as those of a single sentence have.
  attn::Tensor<float, 3> embedded(const attn::Tensor<attn::Index, 2>& ids) const {
    attn::Tensor<float, 3> x = words(ids);
    const auto position = positions(ids.shape()[1]);
    for (attn::Index b = 0; b < ids.shape()[0]; ++b) x.matrix(b) += position.matrix();
    x.as_rows().rowwise() += types(attn::Tensor<attn::Index, 1>({1})).matrix().row(0);
    return norm(std::move(x));
  }
};

/// Loads a model that Hugging Face's `BertModel` saved, model.safetensors.
/// Errors: FileError if the file is not safetensors; ShapeError that names each parameter that is
/// missing, unexpected or of another shape.
inline Bert load_bert(const std::filesystem::path& path, const BertOptions& options = {}) {
  const attn::NameMap names{
      {{"encoder.layers.{}.self_attn.in_proj_{}",
        {"encoder.layer.{}.attention.self.query.{}", "encoder.layer.{}.attention.self.key.{}",
         "encoder.layer.{}.attention.self.value.{}"}},
       {"encoder.layers.{}.self_attn.out_proj.{}", {"encoder.layer.{}.attention.output.dense.{}"}},
       {"encoder.layers.{}.norm1.{}", {"encoder.layer.{}.attention.output.LayerNorm.{}"}},
       {"encoder.layers.{}.linear1.{}", {"encoder.layer.{}.intermediate.dense.{}"}},
       {"encoder.layers.{}.linear2.{}", {"encoder.layer.{}.output.dense.{}"}},
       {"encoder.layers.{}.norm2.{}", {"encoder.layer.{}.output.LayerNorm.{}"}}},
      {"embeddings.position_ids", "pooler.{}"}};
  Bert bert(options);
  bert.load_state_dict(names(attn::load_safetensors(path)));
  return bert;
}
