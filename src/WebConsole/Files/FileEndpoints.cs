using System.Net;
using Microsoft.Net.Http.Headers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Files;

/// <summary>Serves the console: its files, and its page for every other path below <c>/console</c>.</summary>
internal static class FileEndpoints
{
    private const string Root = "/console";

    /// <summary>Only this server's own scripts, styles and answers.</summary>
    internal const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

    private static readonly string[] Reads = ["GET", "HEAD"];

    public static void MapConsoleFiles(this IEndpointRouteBuilder app) =>
        app.MapMethods(Root + "/{**path}", Reads, Serve).AnswerFaults(ApiErrors.Problem).Open().ExcludeFromDescription();

    private static IResult Serve(string? path, HttpContext context, ConsoleFiles files)
    {
        if (string.IsNullOrEmpty(path) && context.Request.Path.Value?.EndsWith('/') != true)
            return Results.Redirect($"{context.Request.PathBase}{Root}/");
        if (path is not null && files.Find(path) is { } file)
            return File(file, context, path.StartsWith(ConsoleFiles.Assets, StringComparison.Ordinal));
        if (path?.StartsWith(ConsoleFiles.Assets, StringComparison.Ordinal) == true)
            throw new ApiException(404, "not_found", $"the console has no file {path}");
        return files.PageText is { } page ? Page(page, context)
            : throw new ApiException(404, "not_found", "this build of the server has no web console: build src/Console first");
    }

    private static IResult File(ConsoleFile file, HttpContext context, bool isImmutable)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = isImmutable ? "public, max-age=31536000, immutable" : "no-cache";
        headers.ETag = file.Tag;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        if (context.Request.Headers.IfNoneMatch.Contains(file.Tag))
            return Results.StatusCode((int)HttpStatusCode.NotModified);
        var (bytes, encoding) = Encoded(file, context.Request.GetTypedHeaders().AcceptEncoding);
        if (encoding is not null)
            headers.ContentEncoding = encoding;
        return Results.Bytes(bytes, file.Type);
    }

    private static (byte[] Bytes, string? Encoding) Encoded(ConsoleFile file, IList<StringWithQualityHeaderValue> accepted)
    {
        bool Accepts(string encoding) => accepted.Any(a => a.Value.Equals(encoding, StringComparison.OrdinalIgnoreCase) && a.Quality != 0);

        return file.Brotli is { } brotli && Accepts("br") ? (brotli, "br")
            : file.Gzip is { } gzip && Accepts("gzip") ? (gzip, "gzip")
            : (file.Plain, null);
    }

    /// <summary>
    /// The page, with the path base in its addresses: it is served at any depth, and the policy allows no <c>base</c> element.
    /// </summary>
    private static IResult Page(string page, HttpContext context)
    {
        var pathBase = WebUtility.HtmlEncode(context.Request.PathBase.ToUriComponent());
        var headers = context.Response.Headers;
        headers.CacheControl = "no-cache";
        headers.ContentSecurityPolicy = Policy;
        headers.XFrameOptions = "DENY";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
        return Results.Text(
            page.Replace("=\"./", $"=\"{pathBase}{Root}/", StringComparison.Ordinal)
                .Replace("<head>", $"<head><meta name=\"path-base\" content=\"{pathBase}\">", StringComparison.OrdinalIgnoreCase),
            "text/html; charset=utf-8");
    }
}
