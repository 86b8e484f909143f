# Reads formatted C++ and reports, as file:line, statements that a comma joins; with -v header=1 also functions with more than five
# parameters and lambdas of more than twelve lines. It knows no grammar: a statement ends at `;`, `{` or `}`, and what stands in
# parentheses, brackets and braces within it is left out.
# usage: awk [-v header=1] -f statements.awk FILES

function fault(line, text) {
  printf "%s:%d: %s\n", FILENAME, line, text
  found++
}
# The levels of nesting: what each is, and its statement so far.
function open_level(name) {
  depth++
  kind[depth] = name
  text[depth] = ""
  commas[depth] = angles[depth] = 0
  begun[depth] = FNR
}
function close_level() { if (depth > 0) depth-- }

function joined(s) {
  sub(/^ +/, "", s)
  while (sub(/^((if|for|while|switch)( constexpr)? ?\(\)|else|do|case [^:]*:|default:|\[\]) */, "", s)) continue
  if (s !~ /,/) return 0
  if (s ~ /^(return|throw|co_yield) /) return 1
  sub(/^\(void\) ?/, "", s)
  # An assignment or an increment, or a call, comes first. (A declaration has a type and a space before its name.)
  return s ~ /^[*(]*[A-Za-z_0-9.:>()-]*(\[\])*[A-Za-z_0-9.>()-]* ([-+*\/%&|^]|<<|>>)?= / || s ~ /^(\+\+|--)/ || s ~ /^[^ ]*(\+\+|--),/ ||
         s ~ /^[A-Za-z_0-9.:>-]*(\(\)|\[\])*\(\)(\.[a-z_]+\(\))*, /
}
function end_statement() {
  if (kind[depth] == "block" && joined(text[depth])) fault(begun[depth], "a comma joins two statements:" text[depth])
  if (header && kind[depth] ~ /namespace|class/ && parameters[depth] > 5) fault(begun[depth], "a function has " parameters[depth] " parameters")
  text[depth] = ""
  parameters[depth] = 0
  seen[depth] = 0
}

FNR == 1 {
  depth = 0
  kind[0] = "namespace"
  text[0] = ""
  commented = 0
}
/^ *#/ || directive {
  directive = /\\$/
  next
}
{
  line = $0
  gsub(/\\\\/, "", line)
  gsub(/\\"/, "", line)
  gsub(/'.'|'\\.'/, "0", line)
  gsub(/"[^"]*"/, "0", line)
  sub(/\/\/.*/, "", line)
  length_ = length(line)
  for (i = 1; i <= length_; i++) {
    c = substr(line, i, 1)
    before = i > 1 ? substr(line, i - 1, 1) : " "
    if (text[depth] == "" && c == " ") continue
    if (text[depth] == "") begun[depth] = FNR
    if (c == "(" || c == "[") {
      open_level(c)
    } else if (c == ")" || c == "]") {
      if (kind[depth] == "(" || kind[depth] == "[") {
        count = commas[depth] + (text[depth] != "")
        pack = text[depth] ~ /\.\.\. *$/
        close_level()
        if (c == ")" && count > 1 && !pack && text[depth] !~ /operator/ && text[depth] ~ /(^|[=(,{?:&|+*\/<-]|return) *$/) fault(begun[depth], "a comma joins what stands in parentheses:" text[depth])
        # The first parentheses that stand behind a name and are none of these hold the parameters.
        if (c == ")" && !seen[depth] && text[depth] ~ / \**&*[A-Za-z_~0-9]+$|^[A-Za-z0-9_]+$|operator.*$/ && text[depth] !~ /(requires|decltype|alignas|explicit|operator|=.*)$/) {
          seen[depth] = 1
          parameters[depth] = count
        }
      }
      text[depth] = text[depth] (c == ")" ? "()" : "[]")
    } else if (c == "{") {
      s = text[depth]
      sub(/ +$/, "", s)
      if (s ~ /(^|[^A-Za-z_])(namespace|extern)( |$)/) {
        end_statement()
        open_level("namespace")
      } else if (s ~ /^(template <.*> )?(struct|class|union|enum)( |$)/ || s ~ / enum /) {
        end_statement()
        open_level(s ~ /enum/ ? "enum" : "class")
      } else if (s == "" && kind[depth] == "block" || s ~ /(\)|else|do|try|const|noexcept|mutable|override|final)$/ || s ~ /(^|[ (,=!&|])\[\]$/ || s ~ /(\)|const|noexcept|mutable) -> [^;]*$/) {
        lambda = s ~ /\[\](\(\))?( mutable| const| noexcept| -> [^;]*)*$/
        if (!lambda || s ~ /^\[\]/) end_statement()
        open_level("block")
        is_lambda[depth] = lambda
        opened[depth] = FNR
      } else {
        open_level("{")
      }
    } else if (c == "}") {
      while (kind[depth] == "(" || kind[depth] == "[") close_level()
      was = kind[depth]
      if (was != "{") end_statement()
      if (header && was == "block" && is_lambda[depth] && FNR - opened[depth] > 12) fault(opened[depth], "a lambda has " FNR - opened[depth] + 1 " lines")
      lambda = is_lambda[depth]
      is_lambda[depth] = 0
      close_level()
      if (was == "{" || lambda) text[depth] = text[depth] "{}"
    } else if (c == ";") {
      end_statement()
    } else {
      # A template's brackets have no space before them (`template <` apart), comparisons have.
      if (c == "<" && (before ~ /[A-Za-z0-9_]/ || text[depth] ~ /template $/)) angles[depth]++
      else if (c == ">" && angles[depth] > 0 && before != "-") angles[depth]--
      else if (c == "," && angles[depth] == 0) commas[depth]++
      if (c == "," && angles[depth] > 0) continue
      text[depth] = text[depth] c
    }
  }
  if (text[depth] != "" && text[depth] !~ / $/) text[depth] = text[depth] " "
}
END { exit found > 0 }
