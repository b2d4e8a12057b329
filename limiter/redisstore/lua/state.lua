-- How a bucket lies in Redis: its state is one packed table. What this version
-- cannot have written is thrown away: the replicas tell again what they know.

local state_key, history_key = KEYS[1], KEYS[2]
local odd = {}

-- The number is that of the schema. A fleet that is updated goes through both:
-- each version then finds a bucket that it does not know, which is safe.
local magic = 'iqgw-quota-1 '

local function discard(key, field, why)
  redis.call('UNLINK', key)
  odd[#odd + 1] = field .. ' ' .. why
end

-- load returns the packed state, or nil and why there is none.
local function load()
  local size = redis.pcall('STRLEN', state_key)
  if type(size) ~= 'number' then return nil, 'type' end
  if size == 0 then return nil end
  if size > max_state then return nil, 'size' end
  local text = redis.call('GET', state_key)
  if string.sub(text, 1, #magic) ~= magic then return nil, 'schema' end
  local ok, s = pcall(cmsgpack.unpack, string.sub(text, #magic + 1))
  if not ok or type(s) ~= 'table' then return nil, 'unreadable' end
  return s
end

local function save(s)
  redis.call('SET', state_key, magic .. cmsgpack.pack(s), 'PX', keep_state)
end

-- remember adds the record of a window to the history, newest first.
local function remember(record)
  local is = redis.call('TYPE', history_key).ok
  if is ~= 'list' and is ~= 'none' then discard(history_key, 'history', 'type') end
  redis.call('LPUSH', history_key, record)
  redis.call('LTRIM', history_key, 0, history_length - 1)
  redis.call('PEXPIRE', history_key, keep_history)
end

-- with runs f on the state and returns what f does. A state on which f fails
-- although it does not fail on an empty one was not written by this version.
local function with(f)
  local s, why = load()
  if s then
    local ok, result = pcall(f, s)
    if ok then return result end
    why = 'unreadable'
  end
  local result = f(fresh())
  if why then discard(state_key, 'state', why) end
  return result
end
