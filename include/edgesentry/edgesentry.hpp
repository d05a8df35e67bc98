/* edgesentry.hpp - the device's library for C++17: what opens closes itself, and
 * what fails throws.
 *
 *   eds::Buffer buffer("sqlite:/var/lib/lift/buffer.db");
 *   eds::Signer signer = eds::Signer::from_key_file("/etc/lift/key.json");
 *   eds::Agent agent("lift-01", signer, buffer);
 *   agent.record("door closed in 2.1 s");
 *
 * Header only; link libedgesentry_device.  Each class is what the C header of
 * its name says; raw() is the way back to it. */
#ifndef EDGESENTRY_EDGESENTRY_HPP
#define EDGESENTRY_EDGESENTRY_HPP

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "edgesentry/agent.h"
#include "edgesentry/buffer.h"
#include "edgesentry/signer.h"

namespace eds
{

/* Something failed: what() is the library's sentence, code() its EDS_ERR_ number. */
class Error : public std::runtime_error
{
  public:
    Error(int32_t code, const char *text) : std::runtime_error(text), code_(code)
    {
    }
    int32_t code() const noexcept
    {
        return code_;
    }

  private:
    int32_t code_;
};

inline void check(int32_t code, const eds_error &err)
{
    if (code != EDS_OK)
        throw Error(code, err.text);
}

class Buffer
{
  public:
    explicit Buffer(const std::string &url, eds_buffer_limits limits = {})
    {
        eds_error err;
        eds_buffer *buffer = nullptr;

        check(eds_buffer_open(&buffer, url.c_str(), &limits, &err), err);
        buffer_.reset(buffer);
    }
    uint64_t size() const
    {
        return eds_buffer_len(buffer_.get());
    }
    bool empty() const
    {
        return eds_buffer_is_empty(buffer_.get());
    }
    eds_flush_report flush(eds_sender &sender, eds_refusal refusal = EDS_REFUSAL_BURIES)
    {
        eds_error err;
        eds_flush_report report;

        check(eds_buffer_flush(buffer_.get(), &sender, refusal, &report, &err), err);
        return report;
    }
    eds_buffer *raw() const noexcept
    {
        return buffer_.get();
    }

  private:
    struct Close {
        void operator()(eds_buffer *buffer) const noexcept
        {
            eds_buffer_close(buffer);
        }
    };
    std::unique_ptr<eds_buffer, Close> buffer_;
};

class Signer
{
  public:
    static Signer from_seed(const uint8_t (&seed)[EDS_SEED_SIZE])
    {
        eds_error err;
        eds_signer *signer = nullptr;

        check(eds_signer_from_seed(&signer, seed, &err), err);
        return Signer(signer);
    }
    static Signer from_key_file(const std::string &path, std::string_view passphrase = {})
    {
        eds_error err;
        eds_signer *signer = nullptr;

        check(eds_signer_from_key_file(&signer, path.c_str(), passphrase.data(), passphrase.size(),
                                       &err),
              err);
        return Signer(signer);
    }
    static Signer from_pkcs11(const std::string &uri, const char *pin = nullptr)
    {
        eds_error err;
        eds_signer *signer = nullptr;

        check(eds_signer_from_pkcs11(&signer, uri.c_str(), pin, &err), err);
        return Signer(signer);
    }
    const uint8_t *public_key() const noexcept
    {
        return signer_->public_key;
    }
    eds_signer *raw() const noexcept
    {
        return signer_.get();
    }

  private:
    explicit Signer(eds_signer *signer) : signer_(signer)
    {
    }
    struct Close {
        void operator()(eds_signer *signer) const noexcept
        {
            eds_signer_close(signer);
        }
    };
    std::unique_ptr<eds_signer, Close> signer_;
};

/* Its signer and buffer must outlive it. */
class Agent
{
  public:
    Agent(const std::string &device_id, Signer &signer, Buffer &buffer)
    {
        eds_agent_config config = {};

        config.device_id = device_id.c_str();
        config.signer = signer.raw();
        config.buffer = buffer.raw();
        open(config);
    }
    explicit Agent(const eds_agent_config &config)
    {
        open(config);
    }
    eds_entry record(std::string_view payload, const char *object_ref = nullptr,
                     eds_priority priority = EDS_PRIORITY_NORMAL)
    {
        eds_error err;
        eds_entry entry;

        check(eds_agent_record(agent_.get(), payload.data(), payload.size(), object_ref, priority,
                               &entry, &err),
              err);
        return entry;
    }
    void note(const std::string &kind, const std::string &text)
    {
        eds_error err;

        check(eds_agent_note(agent_.get(), kind.c_str(), text.c_str(), &err), err);
    }
    eds_agent_state state() const
    {
        eds_agent_state out;

        eds_agent_get_state(agent_.get(), &out);
        return out;
    }
    eds_agent *raw() const noexcept
    {
        return agent_.get();
    }

  private:
    void open(const eds_agent_config &config)
    {
        eds_error err;
        eds_agent *agent = nullptr;

        check(eds_agent_open(&agent, &config, &err), err);
        agent_.reset(agent);
    }
    struct Close {
        void operator()(eds_agent *agent) const noexcept
        {
            eds_agent_close(agent);
        }
    };
    std::unique_ptr<eds_agent, Close> agent_;
};

} // namespace eds

#endif
