using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Tests.Servers;

/// <summary>Keys that are long enough, and the same for the same name.</summary>
internal static class TestKeys
{
    public static string Of(string name) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
}
