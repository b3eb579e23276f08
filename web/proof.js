// The page of one proof: times in the reader's own words, and the download.

import { $, button, moment } from "./dom.js";
import { manifestStore } from "./service.js";

for (const time of document.querySelectorAll("time[datetime]")) time.replaceWith(moment(time.dateTime));

const place = $("download");
if (place) {
  const said = place.appendChild(document.createElement("span"));
  said.className = "note";
  said.setAttribute("role", "status");
  place.prepend(button("Download the manifest store", "", async () => {
    said.textContent = "";
    try {
      save(await manifestStore(`${location.pathname}?store=embedded`));
    } catch (error) {
      said.textContent = error.message;
    }
  }));
}

function save(store) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(store);
  link.download = `${location.pathname.split("/").pop()}.c2pa`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
