
-- The script of Acquire. ARGV: the Ask.

local now = clock()

-- Nothing is written before all has been computed. The ask is read anew for
-- each run: a failed one leaves its marks on it.
local done = with(function(s)
  local answer = shared.acquire(s, read_ask(ARGV[1]), now)
  local record = answer.Closed and cjson.encode(write_closed(answer.Closed))
  return { state = s, text = cjson.encode(write_answer(answer)), record = record }
end)

save(done.state)
if done.record then remember(done.record) end
return { odd, done.text }
