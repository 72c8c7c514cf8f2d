using TaskQueue.Engine;

namespace TaskQueue.Http.Requests;

/// <summary>How many bytes of a request are read.</summary>
internal static class BodyLimits
{
    /// <summary>Largest request of any route but an upload.</summary>
    public const long Largest = 128L * 1024 * 1024;

    /// <summary>Room around a payload for the other members of a request.</summary>
    private const int Envelope = 16 * 1024;

    /// <summary>A request with one payload.</summary>
    public static long One(EngineOptions options) => options.MaxPayloadBytes + Envelope;

    /// <summary>A request with many payloads, or many results.</summary>
    public static long Many(EngineOptions options) => Math.Max(64L * 1024 * 1024, One(options));
}
