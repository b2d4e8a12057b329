
-- The script of Block. ARGV: until when, and why.

local state = with(function(s)
  shared.block(s, tonumber(ARGV[1]), ARGV[2])
  return s
end)
save(state)
return { odd, '' }
