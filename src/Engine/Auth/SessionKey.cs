namespace TaskQueue.Engine.Auth;

/// <summary>A row of table <c>session_keys</c>: a key that protects the session cookies of the web console in every process.</summary>
public sealed class SessionKey
{
    /// <summary>Number of the key, from 1; two processes that add a key at the same time choose the same number.</summary>
    public int Number { get; set; }

    /// <summary>The key in XML, as ASP.NET Core writes it; encrypted at rest like other secrets.</summary>
    public string Text { get; set; } = "";

    /// <summary>When it was added, UTC.</summary>
    public DateTime CreatedAt { get; set; }
}

/// <summary>The keys of session cookies. Synchronous, because ASP.NET Core reads them so: once a day, and at the first sign-in.</summary>
public interface ISessionKeyStore
{
    /// <summary>
    /// Whether keys are encrypted at rest. If not, they must not be stored: who reads the database or a backup could make the cookie of any
    /// caller.
    /// </summary>
    bool IsEncrypted { get; }

    /// <summary>All keys, oldest first; the text of a key that cannot be decrypted, or was stored in clear, is empty.</summary>
    IReadOnlyList<SessionKey> List();

    /// <summary>Adds a key, unless another process has added one with its number.</summary>
    /// <returns>False if the number is taken.</returns>
    bool TryAdd(SessionKey key);
}
