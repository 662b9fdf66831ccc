"""What Redis runs: the buckets of `bucket.py`, the tries of `tries.py` and the list of gateway processes,
each in one round trip and by the clock of Redis.

No key lives for ever: each expires when what it holds says no more than its absence.
"""

from shared.adapters.redis import RedisScript

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# KEYS: buckets. ARGV: what to do, then the tokens a minute of each bucket.
# A bucket that was not used for a minute is full, and so is one that is not there.
BUCKETS = RedisScript(
    _NOW
    + """
local doing = ARGV[1]
local rates, tokens = {}, {}
for i, key in ipairs(KEYS) do
  local rate = tonumber(ARGV[i + 1])
  local left, stored = rate, redis.call('GET', key)
  if stored then
    local had, at = string.match(stored, '^(%S+) (%S+)$')
    left = math.min(rate, had + math.max(0, now - at) * rate / 60)
  end
  rates[i], tokens[i] = rate, left
end

local function keep()
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.17g %.17g', tokens[i], now), 'EX', 60)
  end
end

local function give(from)
  for i = from, #KEYS do
    tokens[i] = math.min(tokens[i] + 1, rates[i])
  end
end

local allowed, tightest = 1, 1
if doing == 'take' then
  for i = 2, #KEYS do
    if tokens[i] < tokens[tightest] then tightest = i end
  end
  if tokens[tightest] < 1 then
    allowed = 0
  else
    for i = 1, #KEYS do tokens[i] = tokens[i] - 1 end
  end
elseif doing == 'give' then
  give(1)
elseif doing == 'forgive' then  -- the first bucket says how often
  if tokens[1] >= 1 then
    tokens[1] = tokens[1] - 1
    give(2)
  end
elseif doing == 'fail' then
  if tokens[1] < 1 then allowed = 0 end
  tokens[1] = math.max(0, tokens[1] - 1)
end
keep()
return {allowed, tightest, string.format('%.17g', tokens[tightest])}
"""
)

# KEYS: the times of tries, one sorted set for each who tried; then the count of wrong ones in a row, if that
# makes the wait grow. ARGV: the id of this try; as JSON for each set how many seconds it is kept and its
# windows, pairs of amount and seconds; how many tries are free of a growing wait, and the longest.
# Gives the seconds to wait, '0' when the try has been counted.
TRY = RedisScript(
    _NOW
    + """
local sets = cjson.decode(ARGV[2])
local row = KEYS[#sets + 1]
local wait = 0
local last_moment = string.format('%.17g', now)  -- what is later was counted before the clock went back
for i, set in ipairs(sets) do
  local key = KEYS[i]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.17g', now - set.keep))
  for _, window in ipairs(set.windows) do
    local amount, seconds = window[1], window[2]
    local first = string.format('(%.17g', now - seconds)
    if redis.call('ZCOUNT', key, first, last_moment) >= amount then
      local found = redis.call(
        'ZREVRANGEBYSCORE', key, last_moment, first, 'WITHSCORES', 'LIMIT', amount - 1, 1)
      wait = math.max(wait, found[2] + seconds - now)
    end
  end
end
if row then
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', row) end
  local last = redis.call(
    'ZREVRANGEBYSCORE', KEYS[1], last_moment, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local wrong = tonumber(redis.call('GET', row) or 0) - ARGV[3]
  if last and wrong >= 0 then
    wait = math.max(wait, last + math.min(ARGV[4], 2 ^ math.min(wrong, 20)) - now)
  end
end
if wait > 0 then return string.format('%.17g', wait) end
for i, set in ipairs(sets) do
  redis.call('ZADD', KEYS[i], last_moment, ARGV[1])
  redis.call('EXPIRE', KEYS[i], set.keep)
end
if row then
  redis.call('INCR', row)
  redis.call('EXPIRE', row, sets[1].keep)
end
return '0'
"""
)

# The end of a try that was not wrong; nothing when it was not counted, or has ended. KEYS as for TRY. ARGV:
# its id; 'right', or 'ours' for a failure of ours.
TRY_ENDS = RedisScript(
    """
local row, counted = KEYS[#KEYS], 0
for i = 1, #KEYS - 1 do
  counted = counted + redis.call('ZREM', KEYS[i], ARGV[1])
end
if counted > 0 then
  if ARGV[2] == 'right' or tonumber(redis.call('GET', row) or 0) <= 1 then
    redis.call('DEL', row)
  else
    redis.call('DECR', row)
  end
end
return counted
"""
)

# KEYS[1]: the processes and when each was last heard of. ARGV: the id of this one, the seconds after which a
# silent one is gone. Gives how many there are.
HEARTBEAT = RedisScript(
    _NOW
    + """
redis.call('ZADD', KEYS[1], string.format('%.17g', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.17g', now - ARGV[2]))
-- The clock went back: who is there says so again, who is not is gone in time.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.17g', now), '+inf')) do
  redis.call('ZADD', KEYS[1], string.format('%.17g', now), id)
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""
)

LEAVE = RedisScript("return redis.call('ZREM', KEYS[1], ARGV[1])")
