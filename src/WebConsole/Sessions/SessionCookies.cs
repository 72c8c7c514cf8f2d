using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>Writes and reads the cookie of a session.</summary>
internal sealed class SessionCookies(IDataProtectionProvider protection, SessionKeys keys, IOptions<ConsoleOptions> options,
    DependencyHealth dependencies, TimeProvider time)
{
    /// <summary>Name of the cookie.</summary>
    public const string Name = "taskqueue_console";

    /// <summary>Longest cookie that is read; browsers store no longer ones.</summary>
    private const int MaxLength = 4096;

    /// <summary>Characters of a cookie that hold what data protection begins with: a mark, and the id of the key.</summary>
    private const int HeadChars = 28;

    private static readonly byte[] Mark = [0x09, 0xF0, 0xC9, 0xF0];

    private readonly Lazy<IDataProtector> _protector = new(() => protection.CreateProtector("TaskQueue.Console.Session.v1"));

    /// <summary>When a session that begins now ends.</summary>
    public DateTimeOffset End => time.GetUtcNow().AddMinutes(options.Value.SessionMinutes);

    /// <summary>Whether a request has the cookie.</summary>
    public static bool Has(HttpContext context) => context.Request.Cookies.ContainsKey(Name);

    /// <summary>Begins a session.</summary>
    /// <exception cref="ApiException">400: the session does not fit into a cookie.</exception>
    public void Write(HttpContext context, SessionTicket ticket)
    {
        var text = _protector.Value.Protect(JsonSerializer.Serialize(ticket, TicketJson.Default.SessionTicket));
        if (text.Length + Name.Length > MaxLength)
            throw new ApiException(400, "session_too_large",
                "the claims of this sign-in do not fit into a cookie; let the provider send fewer");
        var cookie = Shape(context);
        cookie.Expires = DateTimeOffset.FromUnixTimeSeconds(ticket.Ends);
        context.Response.Cookies.Append(Name, text, cookie);
    }

    /// <summary>Ends the session in the browser.</summary>
    public static void Remove(HttpContext context) => context.Response.Cookies.Delete(Name, Shape(context));

    /// <summary>The session of a request; null if there is none, it has ended, or this server did not begin it.</summary>
    /// <exception cref="ApiException">503: the keys of sessions cannot be read now.</exception>
    public SessionTicket? Read(HttpContext context)
    {
        if (context.Request.Cookies[Name] is not { Length: > 0 and <= MaxLength } text)
            return null;
        // Without its keys the first read goes to the database, in the thread of the request.
        if (!_protector.IsValueCreated && dependencies.Database.IsFresh)
            throw Unavailable();
        if (KeyOf(text) is not { } key || keys.IsMissing(key))
            return null;
        try
        {
            var ticket = JsonSerializer.Deserialize(_protector.Value.Unprotect(text), TicketJson.Default.SessionTicket);
            return ticket?.Ends > time.GetUtcNow().ToUnixTimeSeconds() ? ticket : null;
        }
        catch (CryptographicException fault) when (!dependencies.TryHandle(fault))
        {
            return null;
        }
        catch (Exception fault) when (fault is CryptographicException || dependencies.TryHandle(fault))
        {
            throw Unavailable();
        }
    }

    /// <summary>The id of the key that protects a cookie; null if it is none of ours.</summary>
    private static Guid? KeyOf(string text)
    {
        if (text.Length <= HeadChars || !Base64Url.IsValid(text.AsSpan(0, HeadChars)))
            return null;
        Span<byte> head = stackalloc byte[HeadChars];
        var length = Base64Url.DecodeFromChars(text.AsSpan(0, HeadChars), head);
        return length >= Mark.Length + 16 && head.StartsWith(Mark) ? new Guid(head.Slice(Mark.Length, 16)) : null;
    }

    private static ApiException Unavailable() =>
        new(ApiErrors.Unavailable.Status, ApiErrors.Unavailable.Code, ApiErrors.Unavailable.Message);

    private static CookieOptions Shape(HttpContext context) => new()
    {
        Path = context.Request.PathBase.HasValue ? context.Request.PathBase.ToUriComponent() : "/",
        HttpOnly = true,
        IsEssential = true,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
    };
}
