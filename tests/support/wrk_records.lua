-- Posts the records of a file, a line each, one thread a device, in their order; says at
-- the end which statuses came.  Usage: wrk ... -s wrk_records.lua URL -- PREFIX
-- where PREFIX0, PREFIX1, ... are the files of the threads.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(args)
    bodies, at, statuses = {}, 1, ""
    for line in io.lines(args[1] .. number) do
        bodies[#bodies + 1] = wrk.format("POST", nil, {["Content-Type"] = "application/json"}, line)
    end
end

-- wrk asks once more than it sends, so the answer moves on and not the question.
function request()
    return bodies[at]
end

function response(status)
    statuses = statuses .. status .. " "
    if at < #bodies then
        at = at + 1
    end
end

function done(summary)
    local count = {}
    for _, thread in ipairs(threads) do
        for status in thread:get("statuses"):gmatch("%d+") do
            count[status] = (count[status] or 0) + 1
        end
    end
    for status, number in pairs(count) do
        print(string.format("status %s: %d", status, number))
    end
    local errors = summary.errors
    print(string.format("errors: %d", errors.connect + errors.read + errors.write + errors.timeout))
end
