using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Refuses encoded bodies, which are not decoded: their size after decoding is unknown.</summary>
internal static class ContentCodings
{
    private const string Identity = "identity";

    /// <exception cref="ApiException">415.</exception>
    public static void DemandNone(HttpContext context)
    {
        var given = context.Request.Headers.ContentEncoding;
        if (given.Count == 0 || given.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .All(IsNone))
            return;
        context.Response.Headers.AcceptEncoding = Identity;
        throw new ApiException(StatusCodes.Status415UnsupportedMediaType, "unsupported_encoding",
            "encoded bodies, such as gzip, are not read: send the body as it is, without Content-Encoding");
    }

    /// <summary>Some clients name the character set here.</summary>
    private static bool IsNone(string coding) =>
        coding.Equals(Identity, StringComparison.OrdinalIgnoreCase) || coding.Equals("utf-8", StringComparison.OrdinalIgnoreCase);
}
