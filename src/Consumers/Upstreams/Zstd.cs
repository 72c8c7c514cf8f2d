using System.Net.Http.Headers;
using ZstdSharp;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>The content coding that the HTTP handler does not decode itself.</summary>
internal static class Zstd
{
    private const string Name = "zstd", Encoding = "Content-Encoding", Length = "Content-Length";

    /// <summary>For Accept-Encoding.</summary>
    public static StringWithQualityHeaderValue Accepted { get; } = new(Name);

    /// <summary>Replaces a compressed body by one that is decompressed while it is read, and names the coding no more.</summary>
    public static async Task DecodeAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var packed = response.Content;
        if (packed.Headers.ContentEncoding.Count != 1 || !IsZstd(packed.Headers.ContentEncoding.Single()))
            return;
        // Disposed with the response, and the packed body with it.
        var plain = new StreamContent(new DecompressionStream(await packed.ReadAsStreamAsync(cancellationToken), leaveOpen: false));
        foreach (var (name, values) in packed.Headers.NonValidated)
        {
            if (!name.Equals(Encoding, StringComparison.OrdinalIgnoreCase) && !name.Equals(Length, StringComparison.OrdinalIgnoreCase))
                plain.Headers.TryAddWithoutValidation(name, values);
        }

        response.Content = plain;
    }

    private static bool IsZstd(string coding) => coding.Equals(Name, StringComparison.OrdinalIgnoreCase);
}
