
-- The script of Block. ARGV: until when, and why.

with(function(s)
  shared.block(s, tonumber(ARGV[1]), ARGV[2])
  save(s)
end)
return { odd, '' }
