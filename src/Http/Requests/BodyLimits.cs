using TaskQueue.Engine;

namespace TaskQueue.Http.Requests;

/// <summary>Size limits of request bodies.</summary>
internal static class BodyLimits
{
    /// <summary>Limit of all routes except uploads.</summary>
    public const long Largest = 128L * 1024 * 1024;

    /// <summary>Allowance for members other than the payload.</summary>
    private const int Envelope = 16 * 1024;

    /// <summary>Limit of a request with one payload.</summary>
    public static long One(EngineOptions options) => options.MaxPayloadBytes + Envelope;

    /// <summary>Limit of a request with many payloads or results.</summary>
    public static long Many(EngineOptions options) => Math.Max(64L * 1024 * 1024, One(options));
}
