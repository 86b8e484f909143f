# Writes each ```cpp block of a guide that has a main to FOLDER/<guide>_<heading above it>.cpp, with a count where a heading has
# several, and prints the paths. usage: awk -v folder=FOLDER -f examples.awk README.md
function name_of(heading,  name) {
  name = FILENAME
  sub(/.*\//, "", name)
  sub(/\.md$/, "", name)
  name = tolower(name " " heading)
  gsub(/[^a-z0-9]+/, "_", name)
  sub(/_$/, "", name)
  if (count[name]++) name = name "_" count[name]
  return name
}
/^#/ && !inside { heading = $0 }
/^```cpp$/ {
  inside = 1
  text = ""
  next
}
/^```/ && inside {
  inside = 0
  if (text !~ /int main\(/) next
  path = folder "/" name_of(heading) ".cpp"
  printf "%s", text > path
  close(path)
  print path
}
inside { text = text $0 "\n" }
