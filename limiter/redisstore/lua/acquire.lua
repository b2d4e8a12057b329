
-- The script of Acquire. ARGV: the Ask.

local now = clock()
local text = ARGV[1]
local state

local answer = with(function(s)
  state = s
  return shared.acquire(s, read_ask(text), now) -- the ask is read anew: a failed run leaves its marks on it
end)

save(state)
if answer.Closed then remember(write_closed(answer.Closed)) end
return { odd, cjson.encode(write_answer(answer)) }
